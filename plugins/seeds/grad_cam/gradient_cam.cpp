#include "gradient_cam.hpp"

#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace seedbed::grad_cam {

GradientCam::GradientCam(ClassifierOptions options, const std::string& tap, kernels::GradientRule rule,
                         const ModelContext& context)
    : TapExplainer(std::move(options), tap, context), rule_(rule) {}

SeedResult GradientCam::generate(const SeedRequest& request) {
  const std::int64_t height_px = request.images_nchw.size(2), width_px = request.images_nchw.size(3);
  const at::Tensor activations = activations_of(request.images_nchw, request.run).detach().requires_grad_(true);
  at::Tensor scores_nc;
  {
    const c10::AutoGradMode gradients(true);
    scores_nc = scores_from(activations, height_px, width_px, request.run);
  }
  const at::Tensor cells = cells_of(explained_tap(), activations.detach(), height_px, width_px);
  at::Tensor maps = at::zeros({cells.size(0), num_classes(), cells.size(2), cells.size(3)}, cells.options());
  for (const std::int64_t c : classes_wanted(request)) {
    request.run->check_cancelled();
    const c10::AutoGradMode gradients(true);
    const at::Tensor gradient = kernels::gradient_of(scores_nc.select(1, c), activations);
    const at::Tensor gradient_cells = cells_of(explained_tap(), gradient, height_px, width_px);
    maps.select(1, c).copy_(kernels::gradient_maps(cells, gradient_cells, rule_));
  }
  if (request.present_nc.defined()) maps *= request.present_nc.to(maps.options()).unsqueeze(-1).unsqueeze(-1);
  return result_of(request, maps, scores_nc);
}

}  // namespace seedbed::grad_cam
