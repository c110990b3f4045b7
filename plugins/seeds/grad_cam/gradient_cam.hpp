#pragma once

#include <string>

#include "seedbed/kernels/gradient_maps.hpp"
#include "tap_explainer.hpp"

namespace seedbed::grad_cam {

/// Maps of a tap's activations and of the gradients of each class score with respect to them. One backward pass a class
/// that an image of the request has, from the score to the tap and no further; maps of a class that an image lacks are
/// zero.
class GradientCam final : public TapExplainer {
 public:
  GradientCam(ClassifierOptions options, const std::string& tap, kernels::GradientRule rule,
              const ModelContext& context);

  SeedResult generate(const SeedRequest& request) override;

 private:
  kernels::GradientRule rule_;
};

}  // namespace seedbed::grad_cam
