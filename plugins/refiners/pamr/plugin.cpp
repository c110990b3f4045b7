#include "seedbed/plugin.hpp"
#include "pamr.hpp"

namespace seedbed::pamr {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_refiner(PamrParameters::kId,
                        typed<PamrParameters>([](const PamrParameters& parameters, const ModelContext&) {
                          return std::make_shared<Pamr>(parameters);
                        }));
}

}  // namespace
}  // namespace seedbed::pamr

SEEDBED_PLUGIN(seedbed::pamr::register_all)
