#include "seedbed/plugin.hpp"
#include "dsrg.hpp"
#include "sec.hpp"

namespace seedbed::seeded {
namespace {

template <typename Method, typename Parameters>
void add(Registrar& registrar) {
  registrar.add_training_strategy(Parameters::kId,
                                  typed<Parameters>([](const Parameters& parameters, const ModelContext& context) {
                                    return std::make_shared<Method>(parameters, context);
                                  }));
}

void register_all(Registrar& registrar) {
  add<Sec, SecParameters>(registrar);
  add<Dsrg, DsrgParameters>(registrar);
}

}  // namespace
}  // namespace seedbed::seeded

SEEDBED_PLUGIN(seedbed::seeded::register_all)
