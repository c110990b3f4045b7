#include "seedbed/plugin.hpp"
#include "mobilenet_v2.hpp"

namespace seedbed::mobilenet_v2 {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_backbone(MobilenetV2Parameters::kId,
                         typed<MobilenetV2Parameters>([](const MobilenetV2Parameters& p, const ModelContext& context) {
                           return std::make_shared<MobileNetV2>(p, context.run->generator());
                         }));
}

}  // namespace
}  // namespace seedbed::mobilenet_v2

SEEDBED_PLUGIN(seedbed::mobilenet_v2::register_all)
