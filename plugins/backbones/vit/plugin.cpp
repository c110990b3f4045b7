#include "seedbed/plugin.hpp"
#include "vit.hpp"

namespace seedbed::vit {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_backbone(VitParameters::kId,
                         typed<VitParameters>([](const VitParameters& parameters, const ModelContext& context) {
                           return std::make_shared<Vit>(parameters, context.run->generator());
                         }));
}

}  // namespace
}  // namespace seedbed::vit

SEEDBED_PLUGIN(seedbed::vit::register_all)
