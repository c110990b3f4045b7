#include "gradient_cam.hpp"
#include "methods.hpp"

namespace seedbed::grad_cam {

std::shared_ptr<SeedGenerator> make_grad_cam_pp(const GradCamPpParameters& parameters, const ModelContext& context) {
  return std::make_shared<GradientCam>(classifier_options(parameters), parameters.tap,
                                       kernels::GradientRule::grad_cam_pp, context);
}

}  // namespace seedbed::grad_cam
