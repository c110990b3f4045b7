#include "seedbed/plugin.hpp"
#include "dice.hpp"
#include "focal.hpp"
#include "locally_adaptive.hpp"

namespace seedbed::pixel_losses {
namespace {

template <typename Method, typename Parameters>
void add(Registrar& registrar) {
  registrar.add_loss(Parameters::kId, typed<Parameters>([](const Parameters& parameters, const ModelContext&) {
                       return std::make_shared<Method>(parameters);
                     }));
}

void register_all(Registrar& registrar) {
  add<Focal, FocalParameters>(registrar);
  add<Dice, DiceParameters>(registrar);
  add<LocallyAdaptive, LocallyAdaptiveParameters>(registrar);
}

}  // namespace
}  // namespace seedbed::pixel_losses

SEEDBED_PLUGIN(seedbed::pixel_losses::register_all)
