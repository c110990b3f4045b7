#pragma once

#include "pixel_losses_manifest.hpp"
#include "seedbed/labelled_pixels.hpp"
#include "seedbed/loss.hpp"

namespace seedbed::pixel_losses {

class LocallyAdaptive final : public Loss {
 public:
  /// Throws: UserError for an even window.
  explicit LocallyAdaptive(const LocallyAdaptiveParameters& parameters);

  std::vector<std::string> needs() const override { return {"logits", "target"}; }
  at::Tensor compute(const LossRequest& request) override;

 private:
  LocallyAdaptiveParameters parameters_;
};

}  // namespace seedbed::pixel_losses
