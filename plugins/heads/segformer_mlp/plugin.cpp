#include "seedbed/plugin.hpp"
#include "segformer_mlp.hpp"

namespace seedbed::segformer_mlp {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_segmentation_head(
      SegformerMlpParameters::kId,
      typed<SegformerMlpParameters>([](const SegformerMlpParameters& parameters, const ModelContext& context) {
        return std::make_shared<SegformerMlp>(parameters, context);
      }));
}

}  // namespace
}  // namespace seedbed::segformer_mlp

SEEDBED_PLUGIN(seedbed::segformer_mlp::register_all)
