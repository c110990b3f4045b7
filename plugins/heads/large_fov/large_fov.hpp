#pragma once

#include <memory>

#include "large_fov_manifest.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/segmentation_head.hpp"

namespace seedbed::large_fov {

/// State names: conv6.*, conv7.*, conv8.*, as ToCo's decoder has them.
class LargeFov final : public SegmentationHead {
 public:
  /// Throws: UserError for an unknown tap, one that is a sequence, or a second convolution of side 2.
  LargeFov(const LargeFovParameters& parameters, const ModelContext& context);

  std::vector<std::string> wanted_taps() const override { return {parameters_.tap}; }
  HeadResult forward(const HeadRequest& request) override;

 private:
  LargeFovParameters parameters_;
  std::shared_ptr<Conv2d> conv6_, conv7_, conv8_;
  std::shared_ptr<Dropout> dropout_;
};

}  // namespace seedbed::large_fov
