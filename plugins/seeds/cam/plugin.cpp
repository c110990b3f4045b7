#include "seedbed/plugin.hpp"
#include "cam.hpp"

namespace seedbed::cam {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_seed_generator(CamParameters::kId,
                               typed<CamParameters>([](const CamParameters& parameters, const ModelContext& context) {
                                 return std::make_shared<Cam>(parameters, context);
                               }));
}

}  // namespace
}  // namespace seedbed::cam

SEEDBED_PLUGIN(seedbed::cam::register_all)
