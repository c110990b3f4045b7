#pragma once

#include "pixel_losses_manifest.hpp"
#include "seedbed/labelled_pixels.hpp"
#include "seedbed/loss.hpp"

namespace seedbed::pixel_losses {

class Focal final : public Loss {
 public:
  explicit Focal(const FocalParameters& parameters) : parameters_(parameters) {}

  std::vector<std::string> needs() const override { return {"logits", "target", "pixel_weights"}; }
  at::Tensor compute(const LossRequest& request) override;

 private:
  FocalParameters parameters_;
};

}  // namespace seedbed::pixel_losses
