#include "deeplab_v3.hpp"

#include "seedbed/map_tap.hpp"

namespace seedbed::deeplab {
namespace {

constexpr double kAuxiliaryDropout = 0.1;        // torchvision's FCNHead
constexpr std::int64_t kAuxiliaryReduction = 4;  // its hidden channels: a quarter of its input's

}  // namespace

DeepLabV3::DeepLabV3(const DeeplabV3Parameters& parameters, const ModelContext& context)
    : parameters_(parameters),
      pyramid_(std::make_shared<AtrousPyramid>(find_map_tap(*context.backbone, parameters.tap, "tap").channels,
                                               parameters.width, parameters.atrous_rates, parameters.dropout,
                                               context.run->generator())),
      hidden_({.in_channels = parameters.width, .out_channels = parameters.width, .kernel = 3, .padding = 1},
              context.run->generator()) {
  const auto modules = register_module("classifier", std::make_shared<NamedModules>());
  modules->register_module("0", pyramid_);
  hidden_.register_in(*modules, "1", "2");
  classifier_ = modules->register_module(
      "4",
      std::make_shared<Conv2d>(Conv2dOptions{.in_channels = parameters.width, .out_channels = context.output_channels},
                               context.run->generator()));
  if (!parameters.auxiliary) return;
  const std::int64_t channels = find_map_tap(*context.backbone, parameters.auxiliary_tap, "auxiliary_tap").channels;
  auxiliary_ = register_module(
      "aux_classifier",
      std::make_shared<FcnClassifier>(channels, std::max<std::int64_t>(1, channels / kAuxiliaryReduction),
                                      context.output_channels, kAuxiliaryDropout, context.run->generator()));
}

std::vector<std::string> DeepLabV3::wanted_taps() const {
  if (!auxiliary_ || parameters_.auxiliary_tap == parameters_.tap) return {parameters_.tap};
  return {parameters_.tap, parameters_.auxiliary_tap};
}

HeadResult DeepLabV3::forward(const HeadRequest& request) {
  const at::Generator generator = request.run->generator();
  HeadResult result;
  result.logits_nkhw =
      classifier_->forward(hidden_.forward(pyramid_->forward(request.taps.at(parameters_.tap), generator)));
  if (auxiliary_) {
    result.auxiliary_logits.push_back(auxiliary_->forward(request.taps.at(parameters_.auxiliary_tap), generator));
  }
  return result;
}

}  // namespace seedbed::deeplab
