#include "seedbed/plugin.hpp"
#include "random_walk_psa.hpp"

namespace seedbed::random_walk_psa {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_refiner(
      RandomWalkPsaParameters::kId,
      typed<RandomWalkPsaParameters>([](const RandomWalkPsaParameters& parameters, const ModelContext& context) {
        return std::make_shared<RandomWalkPsa>(parameters, context);
      }));
  // The same network and parameters, fitted to other targets.
  registrar.add_refiner(
      RandomWalkPsaPooledParameters::kId, [](const ParameterValues& values, const ModelContext& context) {
        return std::make_shared<RandomWalkPsa>(RandomWalkPsaParameters::from(values), context, CellTargets::score_maps);
      });
}

}  // namespace
}  // namespace seedbed::random_walk_psa

SEEDBED_PLUGIN(seedbed::random_walk_psa::register_all)
