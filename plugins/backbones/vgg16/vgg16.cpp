#include "vgg16.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>

#include "seedbed/convolution_unit.hpp"

namespace seedbed::vgg16 {
namespace {

// torchvision draws weights by Kaiming's rule for ReLU over the fan-out and starts biases at 0.
std::shared_ptr<Conv2d> convolution(const Conv2dOptions& options, const at::Generator& generator) {
  auto layer = std::make_shared<Conv2d>(options, generator);
  const c10::NoGradGuard no_grad;
  const auto fan_out = static_cast<double>(options.kernel * options.kernel * options.out_channels);
  layer->weight.normal_(0, std::sqrt(2.0 / fan_out), generator);
  layer->bias.zero_();
  return layer;
}

}  // namespace

class Vgg16::Layers : public Module {
 public:
  using Module::register_module;
};

Vgg16::Vgg16(const Vgg16Parameters& parameters, const at::Generator& generator) : parameters_(parameters) {
  if (parameters_.variant != "psa") features_ = register_module("features", std::make_shared<Layers>());
  add_stage(1, 2, 64, generator);
  add_stage(2, 2, 128, generator);
  add_stage(3, 3, 256, generator);
  add_stage(4, 3, 512, generator);
  add_stage(5, 3, 512, generator);
  if (padded_pools()) add_wide_layers(generator);
  lay_out_channels_last(*this);
}

void Vgg16::add_stage(std::int64_t number, std::int64_t depth, std::int64_t width, const at::Generator& generator) {
  const std::string stage = std::to_string(number);
  // The dilated forms keep 8 pixels a cell from stage 4 on, and stage 5 sees as far as it did (SEC, PSA, DRS: 2).
  const std::int64_t dilation = dilated() && number == 5 ? 2 : 1;
  for (std::int64_t i = 1; i <= depth; ++i) {
    const std::string place = stage + "_" + std::to_string(i);
    const std::string index = std::to_string(index_);
    const std::string name = features_ ? "features." + index : "conv" + place;
    const auto layer = convolution(
        {.in_channels = channels_, .out_channels = width, .kernel = 3, .padding = dilation, .dilation = dilation},
        generator);
    features_ ? features_->register_module(index, layer) : register_module(name, layer);
    if (!first_) first_ = layer;
    layer->set_requires_grad(parameters_.frozen_stages < number);
    ++index_;
    ConvolutionUnit::Names names{name, "", ""};
    std::shared_ptr<BatchNorm2d> norm;
    if (parameters_.variant == "torchvision_bn") {
      norm = features_->register_module(std::to_string(index_), std::make_shared<BatchNorm2d>(width));
      norm->set_requires_grad(parameters_.frozen_stages < number);
      names.norm = "features." + std::to_string(index_);
      ++index_;
    }
    const std::string activated = features_ ? "features." + std::to_string(index_) : "relu" + place;
    names.activation = activated;
    const ConvolutionUnit unit(layer, norm, Activation::relu, chain_, names);
    chain_.add_step(
        [unit](const at::Tensor& input, const ForwardRequest& request) { return unit.forward(input, request); });
    ++index_;
    channels_ = width;
    TapInfo tap{.name = activated, .aliases = {}, .channels = width, .stride_px = stride_px_};
    if (features_) tap.aliases.push_back("relu" + place);
    if (i == depth) {
      tap.aliases.push_back(tap.name);
      tap.aliases.push_back("conv" + stage);
      tap.name = "stage" + stage;
      if (number == 5 && parameters_.variant == "drs") {
        tap.aliases.push_back(tap.name);
        tap.name = "final";
      }
    }
    chain_.add_tap(std::move(tap));
  }
  // PSA declares a fifth pool and never calls it; DRS has none.
  if (number == 5 && (parameters_.variant == "psa" || parameters_.variant == "drs")) return;
  const bool keeps_stride = dilated() && number >= 4;
  add_pool("pool" + stage, padded_pools() || keeps_stride ? 3 : 2, keeps_stride ? 1 : 2);
}

void Vgg16::add_pool(const std::string& name, std::int64_t kernel, std::int64_t stride) {
  const std::string own = features_ ? "features." + std::to_string(index_) : name;
  const std::int64_t padding = kernel == 3 ? 1 : 0;
  const Site& site = chain_.add_site(own, "pooling", channels_);
  chain_.add_step([=, &site](const at::Tensor& input, const ForwardRequest& request) {
    return run_site(request, site, input,
                    [=](const at::Tensor& value) { return at::max_pool2d(value, kernel, stride, padding); });
  });
  chain_.end_segment();
  ++index_;
  stride_px_ *= static_cast<double>(stride);
  TapInfo tap{.name = name, .aliases = {}, .channels = channels_, .stride_px = stride_px_};
  if (own != name) tap.aliases.push_back(own);
  if (name == "pool5" && !dilated()) {
    tap.aliases.push_back(name);
    tap.name = "final";
  }
  chain_.add_tap(std::move(tap));
}

// fc6 and fc7 as convolutions, each with ReLU; dropout between them (the one behind fc7 belongs to the classifier).
void Vgg16::add_wide_layers(const at::Generator& generator) {
  const bool psa = parameters_.variant == "psa";
  if (!psa) {
    const Site& site = chain_.add_site("pool5a", "pooling", channels_);
    chain_.add_step([&site](const at::Tensor& input, const ForwardRequest& request) {
      return run_site(request, site, input, [](const at::Tensor& value) { return at::avg_pool2d(value, 3, 1, 1); });
    });
    chain_.add_tap({.name = "pool5a", .aliases = {}, .channels = channels_, .stride_px = stride_px_});
  }
  constexpr std::int64_t kWidth = 1024;
  const std::int64_t own_dilation = psa ? 1 : 12;
  const std::int64_t dilation = parameters_.fc6_dilation > 0 ? parameters_.fc6_dilation : own_dilation;
  const auto add = [&](const std::string& number, const Conv2dOptions& options) {
    const auto layer = register_module("fc" + number, convolution(options, generator));
    const ConvolutionUnit unit(layer, nullptr, Activation::relu, chain_, {"fc" + number, "", "relu" + number});
    chain_.add_step(
        [unit](const at::Tensor& input, const ForwardRequest& request) { return unit.forward(input, request); });
    chain_.end_segment();
    channels_ = kWidth;
  };
  add("6", {.in_channels = channels_, .out_channels = kWidth, .kernel = 3, .padding = dilation, .dilation = dilation});
  chain_.add_tap({.name = "fc6", .aliases = {"relu6"}, .channels = kWidth, .stride_px = stride_px_});
  const auto dropout = register_module("drop6", std::make_shared<Dropout>(0.5, /*whole_channels=*/psa));
  chain_.add_step([dropout](const at::Tensor& input, const ForwardRequest& request) {
    return dropout->forward(input, request.run ? request.run->generator() : at::Generator());
  });
  add("7", {.in_channels = kWidth, .out_channels = kWidth});
  chain_.add_tap(
      {.name = "final", .aliases = {"fc7", "relu7", "conv5fc"}, .channels = kWidth, .stride_px = stride_px_});
}

Normalisation Vgg16::normalisation() const {
  // The files that SEC and PSA start from were trained by Caffe (PSA network/vgg16d.py; SEC: rounded).
  if (parameters_.variant == "psa") {
    return {.mean = {104.008, 116.669, 122.675}, .deviation = {1, 1, 1}, .scale = 1, .bgr = true};
  }
  if (parameters_.variant == "largefov") {
    return {.mean = {104, 117, 123}, .deviation = {1, 1, 1}, .scale = 1, .bgr = true};
  }
  return {};
}

// Each unpadded pool halves: five in torchvision's layout, three in DRS's, none in the others.
std::int64_t Vgg16::minimum_size_px() const {
  if (padded_pools()) return 1;
  return parameters_.variant == "drs" ? 8 : 32;
}

ForwardResult Vgg16::forward(const ForwardRequest& request) {
  require_servable(request, *this);
  return chain_.run(with_channels_last(request));
}

std::shared_ptr<Backbone> Vgg16::clone() const {
  auto copy = std::make_shared<Vgg16>(parameters_, at::make_generator<at::CPUGeneratorImpl>());
  copy->to(first_->weight.device());
  copy->copy_from(*this);
  return copy;
}

StateReport Vgg16::load_weights(const NamedTensors& tensors) {
  StateReport report = load_state(tensors);
  std::erase_if(report.extra, [](const std::string& name) {
    // DRS's files hold each layer twice (features.0 is layer1_conv1), its controllers and its layers behind stage 5.
    return name.starts_with("classifier.") || name.starts_with("fc8.") || name.starts_with("layer") ||
           name.starts_with("extra_");
  });
  return report;
}

}  // namespace seedbed::vgg16
