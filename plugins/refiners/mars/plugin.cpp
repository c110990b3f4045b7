#include "seedbed/plugin.hpp"
#include "mars.hpp"

namespace seedbed::mars {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_refiner(MarsParameters::kId,
                        typed<MarsParameters>([](const MarsParameters& parameters, const ModelContext& context) {
                          return std::make_shared<Mars>(parameters, context);
                        }));
}

}  // namespace
}  // namespace seedbed::mars

SEEDBED_PLUGIN(seedbed::mars::register_all)
