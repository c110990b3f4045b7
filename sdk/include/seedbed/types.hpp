#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"

/// Shape letters, the same across the SDK: N images, C foreground classes, K = C+1 labels, H x W input pixels,
/// h x w map cells, L tokens, D width, P planes (or prompts, where said). Tensors carry their layout in their name.
namespace seedbed {

/// Labels: 0 = background, 1..C = classes.
inline constexpr std::int64_t kBackgroundLabel = 0;
/// A label that no loss and no metric counts (VOC's convention).
inline constexpr std::int64_t kIgnoreLabel = 255;
/// A label that a rule left open for a later one to decide.
inline constexpr std::int64_t kUndecidedLabel = 254;

using NamedTensors = std::map<std::string, at::Tensor, std::less<>>;

/// Whether numbers are class evidence of any range or probabilities that sum to one over the planes.
enum class ValueKind { evidence, probability };

/// The part of an image that a map covers, in image pixels: rows [top, bottom), columns [left, right).
struct Area {
  double top = 0;
  double left = 0;
  double bottom = 0;
  double right = 0;
};

/// How one image was turned into one network input.
struct View {
  std::string image_id;
  std::int64_t image_height_px = 0;  ///< of the image before any resizing
  std::int64_t image_width_px = 0;
  double scale = 1.0;    ///< input size / image size before rounding
  bool flipped = false;  ///< mirrored left to right
  Area covered;          ///< what of the image the input shows
};

/// Score maps of N images that share their planes.
struct ScoreMaps {
  at::Tensor scores_nphw;            ///< [N,P,h,w] float32
  std::vector<std::int64_t> planes;  ///< P label ids, strictly increasing, 0 = background; empty = class-agnostic
  ValueKind value = ValueKind::evidence;
  std::vector<Area> covered;  ///< N areas; no stride law is assumed

  bool has_background() const { return !planes.empty() && planes.front() == kBackgroundLabel; }
};

/// Label maps of N images.
struct LabelMaps {
  at::Tensor labels_nhw;      ///< [N,H,W] uint8: 0..C, 254 undecided, 255 ignore
  at::Tensor confidence_nhw;  ///< [N,H,W] float32 in [0,1]; undefined where no rule gave one
};

/// One object found in an image.
struct Instance {
  at::Tensor mask_hw;  ///< [H,W] bool, of the image before any resizing or mirroring
  std::int64_t class_id = 0;
  double score = 0.0;
};

/// Companions of a batch of images, augmented jointly with them, by name. Grey side inputs ("saliency"): [N,1,H,W]
/// float32 in 0..1. Label maps: [N,1,H,W] int64, 255 where padded. Score maps of an earlier node ("maps"): [N,C,H,W]
/// float32, plane c - 1 of class c, 0 for absent classes; [N,K,H,W] where they hold a background plane.
using Companions = NamedTensors;

/// Where an augmentation left real pixels: rows [top, bottom), columns [left, right) per image, the rest is padding.
struct ValidBoxes {
  at::Tensor boxes_n4;  ///< [N,4] int64: top, left, bottom, right
};

}  // namespace seedbed
