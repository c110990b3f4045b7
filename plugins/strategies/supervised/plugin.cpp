#include "seedbed/plugin.hpp"
#include "supervised.hpp"

namespace seedbed::supervised {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_training_strategy(
      SupervisedParameters::kId,
      typed<SupervisedParameters>([](const SupervisedParameters& parameters, const ModelContext& context) {
        return std::make_shared<Supervised>(parameters, context);
      }));
}

}  // namespace
}  // namespace seedbed::supervised

SEEDBED_PLUGIN(seedbed::supervised::register_all)
