#include "seedbed/plugin.hpp"
#include "usage_inferred.hpp"

namespace seedbed::usage_inferred {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_seed_generator(
      UsageInferredParameters::kId,
      typed<UsageInferredParameters>([](const UsageInferredParameters& parameters, const ModelContext& context) {
        return std::make_shared<UsageInferred>(parameters, context);
      }));
}

}  // namespace
}  // namespace seedbed::usage_inferred

SEEDBED_PLUGIN(seedbed::usage_inferred::register_all)
