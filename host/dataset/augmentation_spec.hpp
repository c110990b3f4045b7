#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// The texts of `train.augment` and of `input`, parsed without LibTorch so that a study can be checked by them. What
// each does to pixels is in host/images/augmentation.hpp.
namespace seedbed::dataset {

enum class AugmentationKind {
  flip,
  random_scale,
  scale_of,
  resize_long,
  resize_short,
  resize,
  random_resized_crop,
  crop,
  center_crop,
  color_jitter,
  greyscale,
  blur,
  solarise
};

/// How an image is resized; targets and companions have filters of their own.
enum class ResizeKind {
  bicubic,     ///< PIL's, antialiased when it shrinks
  bilinear,    ///< PIL's, antialiased when it shrinks
  bilinear_cv  ///< OpenCV's INTER_LINEAR: never antialiased
};

/// How a scaled side becomes a whole number: the nearest one, halves to even, or what is left of the point.
enum class SideRounding { even, down };

/// Where `crop` puts an image that is smaller than its window.
enum class CropPlace { random, top_left };

/// One step; `values` holds every number of its text, defaults filled in, words as numbers of their enumeration:
///   flip[:P]                                mirrors left to right with probability P (0.5)
///   random_scale:LOW:HIGH[:FILTER[:ROUND]]  both sides times a factor drawn evenly
///   scale_of:FILTER:ROUND:S1[:S2...]        both sides times one of the factors
///   resize_long:LOW:HIGH[:FILTER]           longer side to a whole number of pixels drawn evenly, ends included
///   resize_short:SIDE[:FILTER]              shorter side to SIDE
///   resize:HEIGHT:WIDTH[:FILTER]            to this size, whatever the ratio
///   random_resized_crop:SIDE[:LOW[:HIGH[:FILTER]]]
///                                           a part of LOW..HIGH (0.08, 1) of the area, ratio 3/4..4/3, to SIDE x SIDE
///   crop:SIDE[:PLACE]                       a random SIDE x SIDE window; smaller images are padded
///   center_crop:SIDE                        the SIDE x SIDE window in the middle; smaller images are padded around
///   color_jitter:B:C:S:H[:P]                brightness, contrast, saturation, hue in random order, as torchvision's
///   greyscale[:P]                           three equal channels
///   blur:LOW:HIGH[:P]                       PIL's Gaussian blur of a radius drawn evenly
///   solarise[:P[:T]]                        values of at least T (128) turned round
/// FILTER: `bicubic` (by itself), `bilinear`, `bilinear_cv`; ROUND: `even` (by itself), `down`; PLACE: `random` (by
/// itself), `top_left`; P: probability, 1 where not said.
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
