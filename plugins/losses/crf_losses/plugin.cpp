#include "seedbed/plugin.hpp"
#include "dense_energy_loss.hpp"
#include "gated_crf_loss.hpp"

namespace seedbed::crf_losses {
namespace {

template <typename Method, typename Parameters>
void add(Registrar& registrar) {
  registrar.add_loss(Parameters::kId, typed<Parameters>([](const Parameters& parameters, const ModelContext&) {
                       return std::make_shared<Method>(parameters);
                     }));
}

void register_all(Registrar& registrar) {
  add<DenseEnergyLoss, DenseEnergyParameters>(registrar);
  add<GatedCrfLoss, GatedCrfParameters>(registrar);
}

}  // namespace
}  // namespace seedbed::crf_losses

SEEDBED_PLUGIN(seedbed::crf_losses::register_all)
