#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "seedbed/layers.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/segmentation_head.hpp"

namespace seedbed::deeplab {

struct SummedAsppOptions {
  std::string tap = "final";
  std::vector<std::int64_t> atrous_rates;
  bool bias = true;
  std::int64_t hidden_width = 0;      ///< of fc6 and fc7; 0 = a branch is one dilated classifier
  double dropout = 0.0;               ///< behind fc6 and fc7
  double classifier_deviation = 0.0;  ///< classifiers start from N(0, this) and bias 0; 0 = PyTorch's default start
};

/// Branches of different dilation on one map, their logits added (DeepLabV2, TPAMI 2018, section 3.2).
///
/// State names: c0.weight, c0.bias, c1 ... as deeplab-pytorch and ToCo have them; with hidden channels c0.fc6.*, c0.fc7.*,
/// c0.fc8.* ...
class SummedAspp final : public SegmentationHead {
 public:
  /// Throws: UserError for an unknown tap, and for one that is a sequence.
  SummedAspp(SummedAsppOptions options, const ModelContext& context);

  std::vector<std::string> wanted_taps() const override { return {options_.tap}; }

  /// Logits [N,K,h,w] at the tap's resolution.
  HeadResult forward(const HeadRequest& request) override;

 private:
  class Branch;

  SummedAsppOptions options_;
  std::vector<std::shared_ptr<Conv2d>> classifiers_;  // without hidden channels
  std::vector<std::shared_ptr<Branch>> branches_;     // with them
};

}  // namespace seedbed::deeplab
