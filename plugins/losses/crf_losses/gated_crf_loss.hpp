#pragma once

#include "crf_losses_manifest.hpp"
#include "gated_crf.hpp"
#include "seedbed/loss.hpp"

namespace seedbed::crf_losses {

/// gated_crf() on the softmax of the logits, on their grid.
class GatedCrfLoss final : public Loss {
 public:
  /// Throws: UserError where the three lists of kernels have different lengths or a width in space is 0.
  explicit GatedCrfLoss(const GatedCrfParameters& parameters);

  std::vector<std::string> needs() const override { return {"logits", "target", "images_raw", "valid"}; }
  at::Tensor compute(const LossRequest& request) override;

 private:
  at::Tensor mask(const std::string& rule, const LossRequest& request) const;

  GatedCrfParameters parameters_;
  GatedCrf crf_;
};

}  // namespace seedbed::crf_losses
