#include "ocr.hpp"

#include <ATen/ATen.h>

#include "seedbed/kernels/resize.hpp"
#include "seedbed/map_tap.hpp"

namespace seedbed::ocr {

Ocr::Ocr(const OcrParameters& parameters, const ModelContext& context)
    : parameters_(parameters),
      features_({.in_channels = find_map_tap(*context.backbone, parameters.tap, "tap").channels,
                 .out_channels = parameters.width,
                 .kernel = 3,
                 .padding = 1},
                context.run->generator()),
      fuse_({.in_channels = 2 * parameters.width, .out_channels = parameters.width}, context.run->generator()) {
  const at::Generator generator = context.run->generator();
  const TapInfo auxiliary_tap = find_map_tap(*context.backbone, parameters.auxiliary_tap, "auxiliary_tap");
  const std::int64_t width = parameters.width, labels = context.output_channels;
  features_.register_in(*register_module("features", std::make_shared<NamedModules>()), "conv", "bn");
  auxiliary_ = register_module("auxiliary", std::make_shared<FcnClassifier>(auxiliary_tap.channels, width, labels,
                                                                            parameters.dropout, generator));
  context_ = register_module("context", std::make_shared<ObjectContext>(width, parameters.key_width, generator));
  fuse_.register_in(*register_module("fuse", std::make_shared<NamedModules>()), "conv", "bn");
  dropout_ = register_module("dropout", std::make_shared<Dropout>(parameters.dropout, /*whole_channels=*/true));
  classifier_ = register_module(
      "classifier", std::make_shared<Conv2d>(Conv2dOptions{.in_channels = width, .out_channels = labels}, generator));
}

std::vector<std::string> Ocr::wanted_taps() const {
  if (parameters_.auxiliary_tap == parameters_.tap) return {parameters_.tap};
  return {parameters_.auxiliary_tap, parameters_.tap};
}

HeadResult Ocr::forward(const HeadRequest& request) {
  const at::Generator generator = request.run->generator();
  const at::Tensor features = features_.forward(request.taps.at(parameters_.tap));
  const at::Tensor auxiliary = auxiliary_->forward(request.taps.at(parameters_.auxiliary_tap), generator);
  const GatherAxis axis = parameters_.gather_axis == "spatial" ? GatherAxis::spatial : GatherAxis::classes;
  const at::Tensor gathering =
      kernels::resize_maps(auxiliary, features.size(2), features.size(3), /*align_corners=*/false);
  const at::Tensor context = context_->forward(features, gather_regions(gathering, features, axis));
  const at::Tensor hidden = dropout_->forward(fuse_.forward(at::cat({context, features}, 1)), generator);
  return {.logits_nkhw = classifier_->forward(hidden), .auxiliary_logits = {auxiliary}};
}

}  // namespace seedbed::ocr
