#pragma once

#include <memory>
#include <vector>

#include "atrous_pyramid.hpp"
#include "deeplab_manifest.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/segmentation_head.hpp"

namespace seedbed::deeplab {

/// State names: project.0.*, project.1.* (of the early tap), aspp.* (the pyramid), classifier.0.*, .1.*, .3.* ... as the
/// segmenter of DRS has them.
class DeepLabV3Plus final : public SegmentationHead {
 public:
  /// Throws: UserError for an unknown tap, and for one that is a sequence.
  DeepLabV3Plus(const DeeplabV3PlusParameters& parameters, const ModelContext& context);

  std::vector<std::string> wanted_taps() const override;

  /// Logits [N,K,h,w] at the early tap's resolution. Throws: UserError in training on a single image (AtrousPyramid).
  HeadResult forward(const HeadRequest& request) override;

 private:
  DeeplabV3PlusParameters parameters_;
  NormedConvolution project_;
  std::shared_ptr<AtrousPyramid> pyramid_;
  std::vector<NormedConvolution> decoder_;
  std::shared_ptr<Conv2d> classifier_;
};

}  // namespace seedbed::deeplab
