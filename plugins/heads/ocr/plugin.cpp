#include "seedbed/plugin.hpp"
#include "ocr.hpp"

namespace seedbed::ocr {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_segmentation_head(
      OcrParameters::kId, typed<OcrParameters>([](const OcrParameters& parameters, const ModelContext& context) {
        return std::make_shared<Ocr>(parameters, context);
      }));
}

}  // namespace
}  // namespace seedbed::ocr

SEEDBED_PLUGIN(seedbed::ocr::register_all)
