#include "seedbed/plugin.hpp"
#include "saliency_gate.hpp"

namespace seedbed::saliency_gate {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_refiner(
      SaliencyGateParameters::kId,
      typed<SaliencyGateParameters>([](const SaliencyGateParameters& parameters, const ModelContext&) {
        return std::make_shared<SaliencyGate>(parameters);
      }));
  registrar.add_refiner(
      SaliencyGateLabelsParameters::kId,
      typed<SaliencyGateLabelsParameters>([](const SaliencyGateLabelsParameters& parameters, const ModelContext&) {
        return std::make_shared<SaliencyGateLabels>(parameters);
      }));
}

}  // namespace
}  // namespace seedbed::saliency_gate

SEEDBED_PLUGIN(seedbed::saliency_gate::register_all)
