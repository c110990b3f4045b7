#include "seedbed/plugin.hpp"
#include "random_walk_irn.hpp"

namespace seedbed::random_walk_irn {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_refiner(
      RandomWalkIrnParameters::kId,
      typed<RandomWalkIrnParameters>([](const RandomWalkIrnParameters& parameters, const ModelContext& context) {
        return std::make_shared<RandomWalkIrn>(parameters, context);
      }));
}

}  // namespace
}  // namespace seedbed::random_walk_irn

SEEDBED_PLUGIN(seedbed::random_walk_irn::register_all)
