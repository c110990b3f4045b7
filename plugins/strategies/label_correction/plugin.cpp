#include "seedbed/plugin.hpp"
#include "adele.hpp"
#include "ema_fill.hpp"

namespace seedbed::label_correction {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_training_strategy(
      AdeleParameters::kId, typed<AdeleParameters>([](const AdeleParameters& parameters, const ModelContext& context) {
        return std::make_shared<Adele>(parameters, context);
      }));
  registrar.add_training_strategy(
      EmaFillParameters::kId,
      typed<EmaFillParameters>([](const EmaFillParameters& parameters, const ModelContext& context) {
        return std::make_shared<EmaFill>(parameters, context);
      }));
}

}  // namespace
}  // namespace seedbed::label_correction

SEEDBED_PLUGIN(seedbed::label_correction::register_all)
