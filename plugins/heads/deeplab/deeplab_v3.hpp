#pragma once

#include <memory>

#include "atrous_pyramid.hpp"
#include "deeplab_manifest.hpp"
#include "seedbed/fcn_classifier.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/segmentation_head.hpp"

namespace seedbed::deeplab {

/// State names are torchvision's: classifier.0.* (the pyramid), classifier.1.*, .2.*, .4.*, and aux_classifier.0.*, .1.*,
/// .4.* with an auxiliary classifier.
class DeepLabV3 final : public SegmentationHead {
 public:
  /// Throws: UserError for an unknown tap, and for one that is a sequence.
  DeepLabV3(const DeeplabV3Parameters& parameters, const ModelContext& context);

  std::vector<std::string> wanted_taps() const override;

  /// Logits [N,K,h,w] at the tap's resolution; the auxiliary ones, where asked for, at their tap's.
  /// Throws: UserError in training on a single image (AtrousPyramid).
  HeadResult forward(const HeadRequest& request) override;

 private:
  DeeplabV3Parameters parameters_;
  std::shared_ptr<AtrousPyramid> pyramid_;
  NormedConvolution hidden_;
  std::shared_ptr<Conv2d> classifier_;
  std::shared_ptr<FcnClassifier> auxiliary_;  // null without
};

}  // namespace seedbed::deeplab
