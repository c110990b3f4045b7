#include "seedbed/plugin.hpp"
#include "multilabel_soft_margin.hpp"
#include "multilabel_soft_margin_manifest.hpp"

namespace seedbed::multilabel_soft_margin {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_loss(MultilabelSoftMarginParameters::kId, [](const ParameterValues&, const ModelContext&) {
    return std::make_shared<MultilabelSoftMargin>();
  });
}

}  // namespace
}  // namespace seedbed::multilabel_soft_margin

SEEDBED_PLUGIN(seedbed::multilabel_soft_margin::register_all)
