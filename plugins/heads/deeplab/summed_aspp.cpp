#include "summed_aspp.hpp"

#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/map_tap.hpp"

namespace seedbed::deeplab {
namespace {

std::shared_ptr<Conv2d> dilated(std::int64_t in, std::int64_t out, std::int64_t rate, bool bias,
                                const at::Generator& generator) {
  return std::make_shared<Conv2d>(
      Conv2dOptions{
          .in_channels = in, .out_channels = out, .kernel = 3, .padding = rate, .dilation = rate, .bias = bias},
      generator);
}

std::shared_ptr<Conv2d> pointwise(std::int64_t in, std::int64_t out, bool bias, const at::Generator& generator) {
  return std::make_shared<Conv2d>(Conv2dOptions{.in_channels = in, .out_channels = out, .bias = bias}, generator);
}

void start_small(Conv2d& classifier, double deviation, const at::Generator& generator) {
  if (deviation == 0.0) return;
  const c10::NoGradGuard no_grad;
  classifier.weight.normal_(0, deviation, generator);
  if (classifier.bias.defined()) classifier.bias.zero_();
}

}  // namespace

// fc6, fc7 and fc8.
class SummedAspp::Branch : public Module {
 public:
  Branch(const SummedAsppOptions& options, std::int64_t in, std::int64_t out, std::int64_t rate,
         const at::Generator& generator) {
    fc6_ = register_module("fc6", dilated(in, options.hidden_width, rate, options.bias, generator));
    fc7_ = register_module("fc7", pointwise(options.hidden_width, options.hidden_width, options.bias, generator));
    fc8_ = register_module("fc8", pointwise(options.hidden_width, out, options.bias, generator));
    dropout_ = register_module("dropout", std::make_shared<Dropout>(options.dropout, /*whole_channels=*/false));
    start_small(*fc8_, options.classifier_deviation, generator);
  }

  at::Tensor forward(const at::Tensor& map_nchw, const at::Generator& generator) const {
    at::Tensor hidden = map_nchw;
    for (const auto& layer : {fc6_, fc7_}) {
      hidden = dropout_->forward(layer->forward(hidden).relu_(), generator);
    }
    return fc8_->forward(hidden);
  }

 private:
  std::shared_ptr<Conv2d> fc6_, fc7_, fc8_;
  std::shared_ptr<Dropout> dropout_;
};

SummedAspp::SummedAspp(SummedAsppOptions options, const ModelContext& context) : options_(std::move(options)) {
  const std::int64_t in = find_map_tap(*context.backbone, options_.tap, "tap").channels;
  const at::Generator generator = context.run->generator();
  for (const std::int64_t rate : options_.atrous_rates) {
    const std::string name = "c" + std::to_string(classifiers_.size() + branches_.size());
    if (options_.hidden_width > 0) {
      branches_.push_back(
          register_module(name, std::make_shared<Branch>(options_, in, context.output_channels, rate, generator)));
      continue;
    }
    const auto classifier = dilated(in, context.output_channels, rate, options_.bias, generator);
    start_small(*classifier, options_.classifier_deviation, generator);
    classifiers_.push_back(register_module(name, classifier));
  }
}

HeadResult SummedAspp::forward(const HeadRequest& request) {
  const at::Tensor& map_nchw = request.taps.at(options_.tap);
  at::Tensor sum;
  const auto add = [&sum](const at::Tensor& logits) { sum = sum.defined() ? sum.add_(logits) : logits; };
  for (const auto& classifier : classifiers_) add(classifier->forward(map_nchw));
  for (const auto& branch : branches_) add(branch->forward(map_nchw, request.run->generator()));
  return {.logits_nkhw = sum, .auxiliary_logits = {}};
}

}  // namespace seedbed::deeplab
