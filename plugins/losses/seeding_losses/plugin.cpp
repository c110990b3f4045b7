#include "seedbed/plugin.hpp"
#include "seeding_losses.hpp"

namespace seedbed::seeding_losses {
namespace {

template <typename Method, typename Parameters>
void add(Registrar& registrar) {
  registrar.add_loss(Parameters::kId, typed<Parameters>([](const Parameters& parameters, const ModelContext&) {
                       return std::make_shared<Method>(parameters);
                     }));
}

void register_all(Registrar& registrar) {
  add<Seed, SeedParameters>(registrar);
  add<Expand, ExpandParameters>(registrar);
  add<Constrain, ConstrainParameters>(registrar);
}

}  // namespace
}  // namespace seedbed::seeding_losses

SEEDBED_PLUGIN(seedbed::seeding_losses::register_all)
