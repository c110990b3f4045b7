#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include "dataset/augmentation_spec.hpp"
#include "dataset/dataset.hpp"
#include "fit/train_settings.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/types.hpp"

namespace seedbed::stages {

/// How an image is shown to a network at inference.
struct PyramidSettings {
  std::vector<double> scales{1.0};
  bool flip = false;
  dataset::InputSize input;
  fit::Precision precision = fit::Precision::float32;  ///< of the network's arithmetic
};

/// Reads `scales`, `flip`, `input` and `precision` of a table.
PyramidSettings pyramid_settings_from(const nlohmann::ordered_json& table);

/// One scale of the pyramid: the image, and its mirror image where flips are asked for.
struct NetworkInput {
  at::Tensor images_raw_nhwc;  ///< [N,h,w,3] uint8
  at::Tensor images_nchw;      ///< normalised; padded to the backbone's multiple with 0, the mean colour
  std::vector<View> views;
};

/// The image at one scale: resized as PIL does (bicubic), sides rounded half to even.
NetworkInput network_input(const at::Tensor& image_hwc, const std::string& image_id, double scale,
                           const PyramidSettings& settings, const Normalisation& normalisation,
                           std::int64_t size_multiple_px);

/// Fills inputs up at the bottom and the right to a multiple, with the mean colour; their views then reach past the image.
void fill_up(NetworkInput& input, std::int64_t multiple_px);

/// A side input [h,w] uint8 as a companion [1,1,h,w]: float32 in 0..1, or int64 labels.
at::Tensor side_companion(dataset::SideKind kind, const at::Tensor& side_hw);

/// The same for the views of an input, [N,1,h',w'] at its size, mirrored with it.
at::Tensor side_input(dataset::SideKind kind, const at::Tensor& side_hw, const NetworkInput& input);

}  // namespace seedbed::stages
