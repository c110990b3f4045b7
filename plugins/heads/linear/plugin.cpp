#include "seedbed/plugin.hpp"
#include "linear_head.hpp"

namespace seedbed::linear_head {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_segmentation_head(LinearParameters::kId, typed<LinearParameters>([](const LinearParameters& parameters,
                                                                                    const ModelContext& context) {
                                    return std::make_shared<LinearHead>(parameters, context);
                                  }));
}

}  // namespace
}  // namespace seedbed::linear_head

SEEDBED_PLUGIN(seedbed::linear_head::register_all)
