#pragma once

#include <memory>
#include <vector>

#include "seedbed/model_context.hpp"
#include "seedbed/normed_convolution.hpp"
#include "seedbed/segmentation_head.hpp"
#include "segformer_mlp_manifest.hpp"

namespace seedbed::segformer_mlp {

/// SegFormer's decoder (NeurIPS 2021, section 3.2, equation 4).
///
/// State names are the authors': linear_c1.proj.* of the first tap, linear_c2.proj.* ..., linear_fuse.conv.weight,
/// linear_fuse.bn.*, linear_pred.*.
class SegformerMlp final : public SegmentationHead {
 public:
  /// Throws: UserError for an unknown tap, for one that is a sequence, and for one that is named twice.
  SegformerMlp(const SegformerMlpParameters& parameters, const ModelContext& context);

  std::vector<std::string> wanted_taps() const override { return parameters_.taps; }

  /// Logits [N,K,h,w] at the first tap's resolution.
  HeadResult forward(const HeadRequest& request) override;

 private:
  at::Tensor merged(const NamedTensors& taps) const;

  SegformerMlpParameters parameters_;
  std::vector<std::shared_ptr<Linear>> projections_;  // in order of the taps
  std::shared_ptr<Conv2d> fuse_;                      // [width, taps * width, 1, 1], the last tap's channels first
  std::shared_ptr<BatchNorm2d> norm_;
  std::shared_ptr<Dropout> dropout_;
  std::shared_ptr<Conv2d> classifier_;
};

}  // namespace seedbed::segformer_mlp
