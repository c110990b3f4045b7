#include "seedbed/plugin.hpp"
#include "dense_crf.hpp"
#include "dense_crf_labels.hpp"

namespace seedbed::dense_crf {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_refiner(DenseCrfParameters::kId,
                        typed<DenseCrfParameters>([](const DenseCrfParameters& parameters, const ModelContext&) {
                          return std::make_shared<DenseCrfRefiner>(parameters);
                        }));
  registrar.add_refiner(
      DenseCrfLabelsParameters::kId,
      typed<DenseCrfLabelsParameters>([](const DenseCrfLabelsParameters& parameters, const ModelContext&) {
        return std::make_shared<DenseCrfLabelsRefiner>(parameters);
      }));
}

}  // namespace
}  // namespace seedbed::dense_crf

SEEDBED_PLUGIN(seedbed::dense_crf::register_all)
