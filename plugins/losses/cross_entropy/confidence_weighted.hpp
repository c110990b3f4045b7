#pragma once

#include "cross_entropy_manifest.hpp"
#include "seedbed/labelled_pixels.hpp"
#include "seedbed/loss.hpp"

namespace seedbed::cross_entropy {

/// Reads companion `confidence` [N,1,H,W]: how sure the rule or refiner that made the labels was of each pixel's, in 0..1.
class ConfidenceWeightedCrossEntropy final : public Loss {
 public:
  explicit ConfidenceWeightedCrossEntropy(const ConfidenceWeightedCrossEntropyParameters& parameters)
      : parameters_(parameters) {}

  std::vector<std::string> needs() const override { return {"logits", "target", "companion:confidence"}; }
  at::Tensor compute(const LossRequest& request) override;

 private:
  ConfidenceWeightedCrossEntropyParameters parameters_;
};

}  // namespace seedbed::cross_entropy
