#include "seedbed/plugin.hpp"
#include "methods.hpp"

namespace seedbed::grad_cam {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_seed_generator(GradCamParameters::kId, typed<GradCamParameters>(make_grad_cam));
  registrar.add_seed_generator(GradCamPpParameters::kId, typed<GradCamPpParameters>(make_grad_cam_pp));
  registrar.add_seed_generator(LayerCamParameters::kId, typed<LayerCamParameters>(make_layer_cam));
  registrar.add_seed_generator(ScoreCamParameters::kId, typed<ScoreCamParameters>(make_score_cam));
}

}  // namespace
}  // namespace seedbed::grad_cam

SEEDBED_PLUGIN(seedbed::grad_cam::register_all)
