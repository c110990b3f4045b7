#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// The texts of `train.augment` and of `input`, parsed without LibTorch so that a study can be checked by them. What
// each does to pixels is in host/images/augmentation.hpp.
namespace seedbed::dataset {

enum class AugmentationKind { flip, random_scale, resize_long, random_resized_crop, crop, color_jitter };

/// One step; `values` holds every number of its text, defaults filled in:
///   flip[:P]                              mirrors left to right with probability P (0.5)
///   random_scale:LOW:HIGH                 both sides times a factor drawn evenly
///   resize_long:LOW:HIGH                  longer side to a whole number of pixels drawn evenly, ends included
///   random_resized_crop:SIDE[:LOW[:HIGH]] a part of LOW..HIGH (0.08, 1) of the area, ratio 3/4..4/3, to SIDE x SIDE
///   crop:SIDE                             a random SIDE x SIDE window; smaller images are placed at random and padded
///   color_jitter:B:C:S:H                  brightness, contrast, saturation, hue in random order, as torchvision's
struct AugmentationStep {
  AugmentationKind kind = AugmentationKind::flip;
  std::vector<double> values;

  bool operator==(const AugmentationStep&) const = default;
};

using Augmentation = std::vector<AugmentationStep>;

/// Throws: UserErrors, one a wrong step, each with what would be accepted and the nearest name.
Augmentation augmentation_from(const std::vector<std::string>& texts);

/// The texts with every default written out.
std::vector<std::string> to_strings(const Augmentation& augmentation);

enum class InputRule { native, long_side, square, ceil };

/// How large a network's input is: the image's own size, its longer side fixed, a square, or both sides rounded up to
/// a multiple (by resizing, not by padding).
struct InputSize {
  InputRule rule = InputRule::native;
  std::int64_t pixels = 0;  ///< of the side, or the multiple; 0 for native

  bool operator==(const InputSize&) const = default;
};

/// "native" | "long_side:448" | "square:320" | "ceil:16". Throws: UserError with the nearest rule.
InputSize input_size_from(std::string_view text);
std::string to_string(const InputSize& size);

struct Extent {
  std::int64_t height_px = 0;
  std::int64_t width_px = 0;

  bool operator==(const Extent&) const = default;
};

/// Size of the input for an image, seen at `scale`. Sides are rounded half to even and are at least 1.
Extent input_extent(const InputSize& size, Extent image, double scale = 1.0);

}  // namespace seedbed::dataset
