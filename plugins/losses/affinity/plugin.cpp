#include "seedbed/plugin.hpp"
#include "pair_affinity.hpp"

namespace seedbed::affinity {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_loss(AffinityParameters::kId,
                     typed<AffinityParameters>([](const AffinityParameters& parameters, const ModelContext&) {
                       return std::make_shared<PairAffinity>(parameters);
                     }));
}

}  // namespace
}  // namespace seedbed::affinity

SEEDBED_PLUGIN(seedbed::affinity::register_all)
