#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include "stages/image_product.hpp"
#include "stages/models.hpp"
#include "stages/network_input.hpp"
#include "stages/stage_context.hpp"

namespace seedbed::stages {

/// Runs a segmenter on an image: probabilities of all labels, averaged over scales and mirror images.
///
/// `context` and `model` are borrowed; the model is in evaluation mode. Threads: [one-at-a-time].
class Predictor {
 public:
  /// `settings`: `scales`, `flip`, `input`, `precision`. `contents`: what else than images the caller opens of the role.
  /// `operation` names the random streams, e.g. "map.predict".
  Predictor(const StageContext& context, SegmenterModel& model, const nlohmann::ordered_json& settings,
            const std::string& role, const std::string& purpose, std::string operation,
            std::set<dataset::Content> contents = {});

  ImageProduct make(const std::string& image_id);

  std::string who() const { return context_.method("strategy").id; }
  images::LabelledImages& images() { return *images_; }
  std::shared_ptr<images::LabelledImages> shared_images() const { return images_; }

 private:
  at::Tensor predict(const at::Tensor& images_nchw);
  at::Tensor probabilities(const NetworkInput& input, std::int64_t height_px, std::int64_t width_px);
  void check_logits(const at::Tensor& logits_nkhw, std::int64_t n) const;

  const StageContext& context_;
  SegmenterModel& model_;
  std::string operation_;
  PyramidSettings pyramid_;
  std::shared_ptr<images::LabelledImages> images_;
  std::vector<std::int64_t> planes_;
  Normalisation normalisation_;
  std::int64_t size_multiple_px_ = 1;
  bool first_call_ = true;
};

}  // namespace seedbed::stages
