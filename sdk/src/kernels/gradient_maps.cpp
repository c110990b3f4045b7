#include "seedbed/kernels/gradient_maps.hpp"

#include <array>
#include <optional>
#include <utility>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::kernels {
namespace {

constexpr double kLeastDenominator = 1e-6;
constexpr double kLeastActivation = 1e-7;

at::Tensor over_cells(const at::Tensor& values_ndhw) { return values_ndhw.sum({2, 3}, /*keepdim=*/true); }

/// The weights w of the rule: [N,D,1,1], or [N,D,h,w] where they differ from cell to cell.
at::Tensor weights(const at::Tensor& activations, const at::Tensor& gradients, GradientRule rule) {
  switch (rule) {
    case GradientRule::grad_cam:
      return gradients.mean({2, 3}, /*keepdim=*/true);
    case GradientRule::layer_cam:
      return gradients.clamp_min(0);
    case GradientRule::xgrad_cam:
      return over_cells(activations * gradients) / (over_cells(activations) + kLeastActivation);
    case GradientRule::grad_cam_pp: {
      const at::Tensor square = gradients.square();
      const at::Tensor ratio = square / (2 * square + over_cells(activations) * square * gradients + kLeastDenominator);
      return over_cells(at::where(gradients.ne(0), ratio, 0.0) * gradients.clamp_min(0));
    }
  }
  throw ContractError("gradient_maps", "rules are declared ones", "a declared rule", "another");
}

}  // namespace

at::Tensor gradient_maps(const at::Tensor& activations_ndhw, const at::Tensor& gradients_ndhw, GradientRule rule) {
  if (activations_ndhw.dim() != 4 || activations_ndhw.sizes() != gradients_ndhw.sizes()) {
    throw ContractError("gradient_maps", "activations and gradients are [N,D,h,w] of one shape", "equal shapes",
                        "others");
  }
  return (weights(activations_ndhw, gradients_ndhw, rule) * activations_ndhw).sum(1);
}

at::Tensor gradient_of(const at::Tensor& scores_n, const at::Tensor& input) {
  if (!scores_n.requires_grad()) return at::zeros_like(input);
  const at::Tensor before = std::exchange(input.mutable_grad(), at::Tensor());
  const std::array inputs{input};
  scores_n.sum().backward({}, /*retain_graph=*/true, /*create_graph=*/false, at::TensorList(inputs));
  const at::Tensor gradient = std::exchange(input.mutable_grad(), before);
  return gradient.defined() ? gradient : at::zeros_like(input);
}

}  // namespace seedbed::kernels
