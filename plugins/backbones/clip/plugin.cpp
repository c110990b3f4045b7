#include "seedbed/plugin.hpp"
#include "clip.hpp"

namespace seedbed::clip {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_backbone(ClipParameters::kId,
                         typed<ClipParameters>([](const ClipParameters& parameters, const ModelContext& context) {
                           return std::make_shared<Clip>(parameters, *context.run, context.run->generator());
                         }));
}

}  // namespace
}  // namespace seedbed::clip

SEEDBED_PLUGIN(seedbed::clip::register_all)
