#include "seedbed/plugin.hpp"
#include "grabcut.hpp"

namespace seedbed::grabcut {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_refiner(GrabcutParameters::kId,
                        typed<GrabcutParameters>([](const GrabcutParameters& parameters, const ModelContext&) {
                          return std::make_shared<Grabcut>(parameters);
                        }));
}

}  // namespace
}  // namespace seedbed::grabcut

SEEDBED_PLUGIN(seedbed::grabcut::register_all)
