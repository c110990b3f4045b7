#include "seedbed/plugin.hpp"
#include "vgg16.hpp"

namespace seedbed::vgg16 {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_backbone(Vgg16Parameters::kId,
                         typed<Vgg16Parameters>([](const Vgg16Parameters& p, const ModelContext& context) {
                           return std::make_shared<Vgg16>(p, context.run->generator());
                         }));
}

}  // namespace
}  // namespace seedbed::vgg16

SEEDBED_PLUGIN(seedbed::vgg16::register_all)
