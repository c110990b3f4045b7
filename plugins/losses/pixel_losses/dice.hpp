#pragma once

#include "pixel_losses_manifest.hpp"
#include "seedbed/labelled_pixels.hpp"
#include "seedbed/loss.hpp"

namespace seedbed::pixel_losses {

class Dice final : public Loss {
 public:
  explicit Dice(const DiceParameters& parameters) : parameters_(parameters) {}

  std::vector<std::string> needs() const override { return {"logits", "target"}; }
  at::Tensor compute(const LossRequest& request) override;

 private:
  DiceParameters parameters_;
};

}  // namespace seedbed::pixel_losses
