#pragma once

#include <memory>

#include "object_context.hpp"
#include "ocr_manifest.hpp"
#include "seedbed/fcn_classifier.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/segmentation_head.hpp"

namespace seedbed::ocr {

/// State names: features.*, auxiliary.0.*, .1.*, .4.*, context.* (ObjectContext), fuse.*, classifier.*.
class Ocr final : public SegmentationHead {
 public:
  /// Throws: UserError for an unknown tap, and for one that is a sequence.
  Ocr(const OcrParameters& parameters, const ModelContext& context);

  std::vector<std::string> wanted_taps() const override;

  /// Logits [N,K,h,w] at the tap's resolution, and as auxiliary ones those that gathered the descriptors, at their tap's.
  /// Throws: UserError in training on a batch of one value a channel.
  HeadResult forward(const HeadRequest& request) override;

 private:
  OcrParameters parameters_;
  NormedConvolution features_;
  std::shared_ptr<FcnClassifier> auxiliary_;
  std::shared_ptr<ObjectContext> context_;
  NormedConvolution fuse_;
  std::shared_ptr<Dropout> dropout_;
  std::shared_ptr<Conv2d> classifier_;
};

}  // namespace seedbed::ocr
