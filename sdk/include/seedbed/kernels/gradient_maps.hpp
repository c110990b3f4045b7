#pragma once

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"

namespace seedbed::kernels {

/// How activations A and the gradients G of a class score with respect to them become a map. Sums run over channels k and
/// cells u; every rule gives sum_k w_k(u) A_k(u):
///   grad_cam     w_k = mean_u G_k                                  (Selvaraju et al., Grad-CAM, ICCV 2017)
///   grad_cam_pp  w_k = sum_u a_k max(G_k, 0), a_k = G_k^2 / (2 G_k^2 + sum_v A_k(v) G_k^3 + 1e-6), 0 where G_k is
///                                                                  (Chattopadhay et al., Grad-CAM++, WACV 2018, without
///                                                                  the factor exp(score), which scales the whole map)
///   layer_cam    w_k(u) = max(G_k(u), 0)                           (Jiang et al., LayerCAM, TIP 2021)
///   xgrad_cam    w_k = sum_u A_k G_k / (sum_v A_k(v) + 1e-7)       (Fu et al., Axiom-based Grad-CAM, BMVC 2020)
/// The two small constants are those of the package grad-cam 1.5.
enum class GradientRule { grad_cam, grad_cam_pp, layer_cam, xgrad_cam };

/// activations_ndhw, gradients_ndhw [N,D,h,w] float32 -> [N,h,w] before any ReLU. Throws: ContractError for shapes that
/// differ. Threads: [any-thread]. Gradient: kept.
SEEDBED_API at::Tensor gradient_maps(const at::Tensor& activations_ndhw, const at::Tensor& gradients_ndhw,
                                     GradientRule rule);

/// The gradient of the sum of `scores_n` with respect to `input`, a tensor that requires gradients and that the scores
/// were computed from; zero where they do not depend on it. The graph stays for another call. Images that do not mix
/// get each its own gradient. Entered with gradients on. Threads: [one-at-a-time] for one input.
SEEDBED_API at::Tensor gradient_of(const at::Tensor& scores_n, const at::Tensor& input);

}  // namespace seedbed::kernels
