#pragma once

#include "cross_entropy_manifest.hpp"
#include "seedbed/labelled_pixels.hpp"
#include "seedbed/loss.hpp"

/// Cross entropy of the pixels of a batch that are hardest.
namespace seedbed::cross_entropy {

/// Pixels whose label has a low probability.
class OhemCrossEntropy final : public Loss {
 public:
  explicit OhemCrossEntropy(const OhemCrossEntropyParameters& parameters) : parameters_(parameters) {}

  std::vector<std::string> needs() const override { return {"logits", "target", "pixel_weights"}; }
  at::Tensor compute(const LossRequest& request) override;

 private:
  OhemCrossEntropyParameters parameters_;
};

/// A share of the pixels, those of the largest loss.
class BootstrappedCrossEntropy final : public Loss {
 public:
  explicit BootstrappedCrossEntropy(const BootstrappedCrossEntropyParameters& parameters) : parameters_(parameters) {}

  std::vector<std::string> needs() const override { return {"logits", "target", "pixel_weights"}; }
  at::Tensor compute(const LossRequest& request) override;

 private:
  BootstrappedCrossEntropyParameters parameters_;
};

}  // namespace seedbed::cross_entropy
