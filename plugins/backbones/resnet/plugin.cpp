#include "seedbed/plugin.hpp"
#include "resnet.hpp"
#include "resnet_manifest.hpp"

namespace seedbed::resnet {
namespace {

template <typename Parameters>
void add(Registrar& registrar, std::vector<std::int64_t> depths, bool bottleneck) {
  registrar.add_backbone(Parameters::kId, typed<Parameters>([=](const Parameters& p, const ModelContext& context) {
                           ResNetOptions options{.depths = depths,
                                                 .bottleneck = bottleneck,
                                                 .irn = p.variant == "irn",
                                                 .output_stride = p.output_stride,
                                                 .strides = p.strides,
                                                 .dilations = p.dilations,
                                                 .frozen_stages = p.frozen_stages};
                           return std::make_shared<ResNet>(options, context.run->generator());
                         }));
}

void register_all(Registrar& registrar) {
  // Blocks of each stage: He et al., table 1.
  add<Resnet18Parameters>(registrar, {2, 2, 2, 2}, false);
  add<Resnet34Parameters>(registrar, {3, 4, 6, 3}, false);
  add<Resnet50Parameters>(registrar, {3, 4, 6, 3}, true);
  add<Resnet101Parameters>(registrar, {3, 4, 23, 3}, true);
}

}  // namespace
}  // namespace seedbed::resnet

SEEDBED_PLUGIN(seedbed::resnet::register_all)
