#include "gradient_cam.hpp"
#include "methods.hpp"

namespace seedbed::grad_cam {

std::shared_ptr<SeedGenerator> make_layer_cam(const LayerCamParameters& parameters, const ModelContext& context) {
  return std::make_shared<GradientCam>(classifier_options(parameters), parameters.tap, kernels::GradientRule::layer_cam,
                                       context);
}

}  // namespace seedbed::grad_cam
