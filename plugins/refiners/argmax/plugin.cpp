#include "seedbed/plugin.hpp"
#include "argmax.hpp"

namespace seedbed::argmax {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_refiner(ArgmaxParameters::kId,
                        typed<ArgmaxParameters>([](const ArgmaxParameters& parameters, const ModelContext&) {
                          return std::make_shared<Argmax>(parameters);
                        }));
}

}  // namespace
}  // namespace seedbed::argmax

SEEDBED_PLUGIN(seedbed::argmax::register_all)
