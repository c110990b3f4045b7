#include "seedbed/plugin.hpp"
#include "resnet38d.hpp"

namespace seedbed::resnet38d {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_backbone(Resnet38dParameters::kId,
                         typed<Resnet38dParameters>([](const Resnet38dParameters& p, const ModelContext& context) {
                           return std::make_shared<ResNet38d>(p, context.run->generator());
                         }));
}

}  // namespace
}  // namespace seedbed::resnet38d

SEEDBED_PLUGIN(seedbed::resnet38d::register_all)
