#include "seedbed/plugin.hpp"

#include "bas.hpp"

namespace seedbed::bas {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_seed_generator(BasParameters::kId,
                               typed<BasParameters>([](const BasParameters& parameters, const ModelContext& context) {
                                 return std::make_shared<Bas>(parameters, context);
                               }));
}

}  // namespace
}  // namespace seedbed::bas

SEEDBED_PLUGIN(seedbed::bas::register_all)
