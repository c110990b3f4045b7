#include "seedbed/plugin.hpp"

#include "seam.hpp"

namespace seedbed::seam {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_seed_generator(SeamParameters::kId,
                               typed<SeamParameters>([](const SeamParameters& parameters, const ModelContext& context) {
                                 return std::make_shared<Seam>(parameters, context);
                               }));
}

}  // namespace
}  // namespace seedbed::seam

SEEDBED_PLUGIN(seedbed::seam::register_all)
