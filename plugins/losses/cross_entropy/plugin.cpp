#include "seedbed/plugin.hpp"
#include "cross_entropy.hpp"

namespace seedbed::cross_entropy {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_loss(CrossEntropyParameters::kId,
                     typed<CrossEntropyParameters>([](const CrossEntropyParameters& parameters, const ModelContext&) {
                       return std::make_shared<CrossEntropy>(parameters);
                     }));
}

}  // namespace
}  // namespace seedbed::cross_entropy

SEEDBED_PLUGIN(seedbed::cross_entropy::register_all)
