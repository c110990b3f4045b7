#include "seedbed/plugin.hpp"
#include "squeezenet.hpp"

namespace seedbed::squeezenet {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_backbone(SqueezenetParameters::kId,
                         typed<SqueezenetParameters>([](const SqueezenetParameters& p, const ModelContext& context) {
                           return std::make_shared<SqueezeNet>(p, context.run->generator());
                         }));
}

}  // namespace
}  // namespace seedbed::squeezenet

SEEDBED_PLUGIN(seedbed::squeezenet::register_all)
