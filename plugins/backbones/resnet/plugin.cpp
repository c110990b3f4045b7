#include "seedbed/plugin.hpp"
#include "deeplab_resnet.hpp"
#include "resnet.hpp"
#include "resnet_manifest.hpp"

namespace seedbed::resnet {
namespace {

template <typename Parameters>
std::shared_ptr<Backbone> make_resnet(const std::vector<std::int64_t>& depths, bool bottleneck, const Parameters& p,
                                      const ModelContext& context) {
  const ResNetOptions options{.depths = depths,
                              .bottleneck = bottleneck,
                              .irn = p.variant == "irn",
                              .output_stride = p.output_stride,
                              .strides = p.strides,
                              .dilations = p.dilations,
                              .frozen_stages = p.frozen_stages};
  return std::make_shared<ResNet>(options, context.run->generator());
}

template <typename Parameters>
void add_basic(Registrar& registrar, const std::vector<std::int64_t>& depths) {
  registrar.add_backbone(Parameters::kId, typed<Parameters>([=](const Parameters& p, const ModelContext& context) {
                           return make_resnet(depths, /*bottleneck=*/false, p, context);
                         }));
}

template <typename Parameters>
void add_bottleneck(Registrar& registrar, const std::vector<std::int64_t>& depths) {
  registrar.add_backbone(
      Parameters::kId,
      typed<Parameters>([=](const Parameters& p, const ModelContext& context) -> std::shared_ptr<Backbone> {
        if (p.variant != "deeplab_pytorch") return make_resnet(depths, true, p, context);
        const DeepLabResNetOptions options{.depths = depths,
                                           .output_stride = p.output_stride,
                                           .multi_grid = p.multi_grid,
                                           .frozen_stages = p.frozen_stages};
        return std::make_shared<DeepLabResNet>(options, context.run->generator());
      }));
}

void register_all(Registrar& registrar) {
  // Blocks of each stage: He et al., table 1.
  add_basic<Resnet18Parameters>(registrar, {2, 2, 2, 2});
  add_basic<Resnet34Parameters>(registrar, {3, 4, 6, 3});
  add_bottleneck<Resnet50Parameters>(registrar, {3, 4, 6, 3});
  add_bottleneck<Resnet101Parameters>(registrar, {3, 4, 23, 3});
}

}  // namespace
}  // namespace seedbed::resnet

SEEDBED_PLUGIN(seedbed::resnet::register_all)
