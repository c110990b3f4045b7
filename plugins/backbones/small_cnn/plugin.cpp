#include "seedbed/plugin.hpp"
#include "small_cnn.hpp"

namespace seedbed::small_cnn {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_backbone(SmallCnnParameters::kId,
                         typed<SmallCnnParameters>([](const SmallCnnParameters& p, const ModelContext& context) {
                           return std::make_shared<SmallCnn>(p, context.run->generator());
                         }));
}

}  // namespace
}  // namespace seedbed::small_cnn

SEEDBED_PLUGIN(seedbed::small_cnn::register_all)
