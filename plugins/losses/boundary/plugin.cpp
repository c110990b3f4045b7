#include "seedbed/plugin.hpp"
#include "boundary.hpp"

namespace seedbed::boundary {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_loss(BoundaryParameters::kId,
                     typed<BoundaryParameters>([](const BoundaryParameters& parameters, const ModelContext& context) {
                       return std::make_shared<Boundary>(parameters, context);
                     }));
}

}  // namespace
}  // namespace seedbed::boundary

SEEDBED_PLUGIN(seedbed::boundary::register_all)
