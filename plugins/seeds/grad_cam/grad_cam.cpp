#include "gradient_cam.hpp"
#include "methods.hpp"

namespace seedbed::grad_cam {

std::shared_ptr<SeedGenerator> make_grad_cam(const GradCamParameters& parameters, const ModelContext& context) {
  return std::make_shared<GradientCam>(
      classifier_options(parameters), parameters.tap,
      parameters.channel_weights == "xgrad" ? kernels::GradientRule::xgrad_cam : kernels::GradientRule::grad_cam,
      context);
}

}  // namespace seedbed::grad_cam
