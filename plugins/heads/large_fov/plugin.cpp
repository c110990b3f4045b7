#include "seedbed/plugin.hpp"
#include "large_fov.hpp"

namespace seedbed::large_fov {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_segmentation_head(
      LargeFovParameters::kId,
      typed<LargeFovParameters>([](const LargeFovParameters& parameters, const ModelContext& context) {
        return std::make_shared<LargeFov>(parameters, context);
      }));
}

}  // namespace
}  // namespace seedbed::large_fov

SEEDBED_PLUGIN(seedbed::large_fov::register_all)
