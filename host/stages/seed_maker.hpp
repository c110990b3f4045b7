#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include "seedbed/fusion_plan.hpp"
#include "seedbed/kernels/fusion.hpp"
#include "stages/image_product.hpp"
#include "stages/models.hpp"
#include "stages/network_input.hpp"
#include "stages/stage_context.hpp"

namespace seedbed::stages {

/// Where image labels come from when seeds are made.
enum class ImageLabels { given, predicted, none };

/// Runs a seed generator over the views of an image and fuses what it finds.
///
/// `context` and `model` are borrowed; the model is in evaluation mode. Threads: [one-at-a-time].
class SeedMaker {
 public:
  /// `settings`: the keys of LOCALISE. `contents`: what the caller opens of the role besides. `operation` names the
  /// random streams, e.g. "map.seeds".
  SeedMaker(const StageContext& context, GeneratorModel& model, const nlohmann::ordered_json& settings,
            const std::string& role, const std::string& purpose, std::string operation,
            const std::set<dataset::Content>& contents = {});

  ImageProduct make(const std::string& image_id);

  /// What the views of an image gave: the maps, and what the generator adds to them.
  using Evidence = std::vector<std::vector<kernels::ViewMaps>>;

  std::string who() const { return context_.method("generator").id; }
  ImageLabels labels() const { return labels_; }
  std::int64_t images_without_class() const { return images_without_class_; }
  images::LabelledImages& images() { return *images_; }
  std::shared_ptr<images::LabelledImages> shared_images() const { return images_; }

 private:
  SeedResult generate(const at::Tensor& image_hwc, const std::string& image_id, std::size_t scale,
                      const at::Tensor& present_c, NetworkInput& input);
  at::Tensor present_of(const at::Tensor& image_hwc, const std::string& image_id);
  ScoreMaps fused(const Evidence& evidence, const ScoreMaps& raw, const at::Tensor& present_c) const;

  const StageContext& context_;
  GeneratorModel& model_;
  std::string operation_;
  PyramidSettings pyramid_;
  FusionPlan fusion_;
  ImageLabels labels_;
  std::vector<std::string> side_wanted_;
  std::shared_ptr<images::LabelledImages> images_;
  Normalisation normalisation_;
  std::int64_t size_multiple_px_ = 1;
  bool first_call_ = true;
  std::int64_t images_without_class_ = 0;
};

}  // namespace seedbed::stages
