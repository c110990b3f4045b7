#include "seedbed/plugin.hpp"
#include "attention_affinity.hpp"

namespace seedbed::attention_affinity {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_refiner(AttentionAffinityParameters::kId,
                        typed<AttentionAffinityParameters>(
                            [](const AttentionAffinityParameters& parameters, const ModelContext& context) {
                              return std::make_shared<AttentionAffinity>(parameters, context);
                            }));
}

}  // namespace
}  // namespace seedbed::attention_affinity

SEEDBED_PLUGIN(seedbed::attention_affinity::register_all)
