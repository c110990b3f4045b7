#pragma once

#include "crf_losses_manifest.hpp"
#include "seedbed/kernels/dense_energy.hpp"
#include "seedbed/loss.hpp"

namespace seedbed::crf_losses {

/// kernels/dense_energy.hpp on the softmax of the logits, brought to the size of the target.
class DenseEnergyLoss final : public Loss {
 public:
  explicit DenseEnergyLoss(const DenseEnergyParameters& parameters);

  std::vector<std::string> needs() const override { return {"logits", "target", "images_raw", "valid"}; }
  at::Tensor compute(const LossRequest& request) override;

 private:
  kernels::DenseEnergy energy_;
  bool align_corners_;
};

}  // namespace seedbed::crf_losses
