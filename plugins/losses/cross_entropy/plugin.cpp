#include "seedbed/plugin.hpp"
#include "confidence_weighted.hpp"
#include "cross_entropy.hpp"
#include "hard_pixels.hpp"

namespace seedbed::cross_entropy {
namespace {

// A loss that is made of its parameters alone.
template <typename Method, typename Parameters>
void add_plain(Registrar& registrar) {
  registrar.add_loss(Parameters::kId, typed<Parameters>([](const Parameters& parameters, const ModelContext&) {
                       return std::make_shared<Method>(parameters);
                     }));
}

void register_all(Registrar& registrar) {
  registrar.add_loss(
      CrossEntropyParameters::kId,
      typed<CrossEntropyParameters>([](const CrossEntropyParameters& parameters, const ModelContext& context) {
        return std::make_shared<CrossEntropy>(parameters, context);
      }));
  add_plain<OhemCrossEntropy, OhemCrossEntropyParameters>(registrar);
  add_plain<BootstrappedCrossEntropy, BootstrappedCrossEntropyParameters>(registrar);
  add_plain<ConfidenceWeightedCrossEntropy, ConfidenceWeightedCrossEntropyParameters>(registrar);
}

}  // namespace
}  // namespace seedbed::cross_entropy

SEEDBED_PLUGIN(seedbed::cross_entropy::register_all)
