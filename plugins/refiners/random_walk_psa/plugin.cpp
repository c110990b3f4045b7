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
}

}  // namespace
}  // namespace seedbed::random_walk_psa

SEEDBED_PLUGIN(seedbed::random_walk_psa::register_all)
