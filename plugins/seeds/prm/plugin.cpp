#include "seedbed/plugin.hpp"

#include "prm.hpp"

namespace seedbed::prm {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_seed_generator(PrmParameters::kId,
                               typed<PrmParameters>([](const PrmParameters& parameters, const ModelContext& context) {
                                 return std::make_shared<Prm>(parameters, context);
                               }));
}

}  // namespace
}  // namespace seedbed::prm

SEEDBED_PLUGIN(seedbed::prm::register_all)
