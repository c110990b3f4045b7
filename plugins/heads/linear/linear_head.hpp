#pragma once

#include <memory>

#include "linear_manifest.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/segmentation_head.hpp"

namespace seedbed::linear_head {

/// State names: classifier.weight [K,D,1,1], classifier.bias.
class LinearHead final : public SegmentationHead {
 public:
  /// Throws: UserError for an unknown tap, and for one that is a sequence.
  LinearHead(const LinearParameters& parameters, const ModelContext& context);

  std::vector<std::string> wanted_taps() const override { return {tap_}; }
  HeadResult forward(const HeadRequest& request) override;

 private:
  std::string tap_;
  std::shared_ptr<Dropout> dropout_;
  std::shared_ptr<Conv2d> classifier_;
};

}  // namespace seedbed::linear_head
