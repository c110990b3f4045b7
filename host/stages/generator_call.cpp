#include "stages/generator_call.hpp"

#include <ATen/ATen.h>

#include "fit/precision.hpp"
#include "seedbed/checks.hpp"

namespace seedbed::stages {
namespace {

SeedResult in_precision(SeedGenerator& generator, const SeedRequest& request, fit::Precision precision) {
  const fit::AutocastScope scope(precision, request.images_nchw.device());
  SeedResult result = generator.generate(request);
  if (precision == fit::Precision::float32) return result;
  const auto widen = [](at::Tensor& tensor) {
    if (tensor.defined() && tensor.is_floating_point()) tensor = tensor.to(at::kFloat);
  };
  widen(result.maps.scores_nphw);
  widen(result.logits_nc);
  for (at::Tensor& added : result.added_nchw) widen(added);
  for (auto& [name, tensor] : result.side_artefacts) widen(tensor);
  return result;
}

}  // namespace

SeedResult ask_generator(GeneratorModel& model, const SeedRequest& request, fit::Precision precision,
                         std::int64_t num_classes, bool thorough) {
  const MethodManifest& manifest = *model.generator.manifest;
  const InputGuard guard({{"images_nchw", request.images_nchw}, {"present_nc", request.present_nc}}, thorough);
  SeedResult result = in_precision(*model.generator.method, request, precision);
  guard.verify(manifest.id);
  check_seed_result(result, request, num_classes, manifest);
  return result;
}

}  // namespace seedbed::stages
