#pragma once

#include <cstdint>
#include <string>

#include <ATen/core/Tensor.h>

#include "stages/models.hpp"
#include "stages/network_input.hpp"
#include "stages/stage_context.hpp"

namespace seedbed::stages {

/// Asks a fitted seed generator for the image-level scores of images that are none of the data set: one of its images,
/// altered.
///
/// `context`, `model` and `images` are borrowed; the model is in evaluation mode. Threads: [one-at-a-time].
class AlteredInputs {
 public:
  /// How the network sees images: at scale 1 of the setting `input`, in the arithmetic of `precision`.
  AlteredInputs(const StageContext& context, GeneratorModel& model, images::LabelledImages& images);

  /// What is altered from now on. Returns its normalised input [3,h,w], on the device.
  at::Tensor show(const std::string& image_id);

  /// How many altered images may be shown at a time.
  std::int64_t images_at_once() const;

  /// Scores [N,C] of altered forms [N,3,h,w] of what show() gave. The generator is told of no class.
  /// Throws: ContractError for a generator that gives none.
  at::Tensor scores(const at::Tensor& images_nchw);

 private:
  const StageContext& context_;
  GeneratorModel& model_;
  images::LabelledImages& images_;
  PyramidSettings settings_;
  Normalisation normalisation_;
  std::int64_t size_multiple_px_ = 1;
  NetworkInput shown_;
  bool first_call_ = true;
};

}  // namespace seedbed::stages
