#include "seedbed/plugin.hpp"
#include "par.hpp"

namespace seedbed::par {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_refiner(ParParameters::kId,
                        typed<ParParameters>([](const ParParameters& parameters, const ModelContext&) {
                          return std::make_shared<Par>(parameters);
                        }));
}

}  // namespace
}  // namespace seedbed::par

SEEDBED_PLUGIN(seedbed::par::register_all)
