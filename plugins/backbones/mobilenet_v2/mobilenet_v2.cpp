#include "mobilenet_v2.hpp"

#include <array>
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>

#include "seedbed/convolution_unit.hpp"
#include "seedbed/error.hpp"

namespace seedbed::mobilenet_v2 {
namespace {

constexpr std::int64_t kImageNetClasses = 1000;

// Sandler et al., table 2.
struct Group {
  std::int64_t expansion, width, repeats, stride;
};
constexpr std::array<Group, 7> kGroups{
    {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}}};
constexpr std::int64_t kStemWidth = 32, kFinalWidth = 1280;

// torchvision draws weights by Kaiming's rule over the fan-out.
std::shared_ptr<Conv2d> convolution(Conv2dOptions options, const at::Generator& generator) {
  options.bias = false;
  auto layer = std::make_shared<Conv2d>(options, generator);
  const c10::NoGradGuard no_grad;
  const auto fan_out = static_cast<double>(options.kernel * options.kernel * options.out_channels / options.groups);
  layer->weight.normal_(0, std::sqrt(2.0 / fan_out), generator);
  return layer;
}

// A convolution, the batch norm behind it and, where wanted, ReLU6: children `first`, `first` + 1 and `first` + 2.
template <typename Parent>
ConvolutionUnit make_unit(Parent& parent, const std::string& path, std::int64_t first, Activation activation,
                          const Conv2dOptions& options, const at::Generator& generator, StepChain& chain) {
  const auto name = [&](std::int64_t i) { return std::to_string(first + i); };
  const auto layer = parent.register_module(name(0), convolution(options, generator));
  const auto norm = parent.register_module(name(1), std::make_shared<BatchNorm2d>(options.out_channels));
  return {layer, norm, activation, chain, {path + name(0), path + name(1), path + name(2)}};
}

}  // namespace

class MobileNetV2::Layers : public Module {
 public:
  using Module::register_module;
};

MobileNetV2::MobileNetV2(const MobilenetV2Parameters& parameters, const at::Generator& generator)
    : parameters_(parameters) {
  const auto features = register_module("features", std::make_shared<Layers>());
  add_plain(*features, 0, {.in_channels = 3, .out_channels = kStemWidth, .kernel = 3, .stride = 2, .padding = 1},
            generator);
  std::int64_t index = 1;
  for (const Group& group : kGroups) {
    for (std::int64_t i = 0; i < group.repeats; ++i) {
      add_residual(*features, index++, group.expansion, group.width, i == 0 ? group.stride : 1, generator);
    }
  }
  add_plain(*features, index, {.in_channels = channels_, .out_channels = kFinalWidth}, generator);

  lay_out_channels_last(*this);
  const auto classifier = register_module("classifier", std::make_shared<Layers>());
  classifier_ =
      classifier->register_module("1", std::make_shared<Linear>(channels_, kImageNetClasses, true, generator));
  // It serves reference_logits() alone: no optimiser is to see it, and until weights are loaded it is zero.
  classifier_->set_requires_grad(false);
  classifier_->weight.zero_();
  classifier_->bias.zero_();
}

void MobileNetV2::add_tap(std::int64_t index) {
  const std::string own = "features." + std::to_string(index);
  TapInfo tap{.name = own, .aliases = {}, .channels = channels_, .stride_px = stride_px_};
  // The last module of each stride ends a stage; the last of all is the fifth.
  switch (index) {
    case 1:
      tap.name = "stage1";
      break;
    case 3:
      tap.name = "stage2";
      break;
    case 6:
      tap.name = "stage3";
      break;
    case 13:
      tap.name = "stage4";
      break;
    case 18:
      tap.name = "final";
      tap.aliases.emplace_back("stage5");
      break;
    default:
      break;
  }
  if (tap.name != own) tap.aliases.push_back(own);
  chain_.add_tap(std::move(tap));
}

void MobileNetV2::add_plain(Layers& features, std::int64_t index, const Conv2dOptions& options,
                            const at::Generator& generator) {
  const auto module = features.register_module(std::to_string(index), std::make_shared<Layers>());
  const ConvolutionUnit unit =
      make_unit(*module, "features." + std::to_string(index) + ".", 0, Activation::relu6, options, generator, chain_);
  chain_.add_step(
      [unit](const at::Tensor& input, const ForwardRequest& request) { return unit.forward(input, request); });
  if (index < parameters_.frozen_modules) module->set_requires_grad(false);
  channels_ = options.out_channels;
  stride_px_ *= static_cast<double>(options.stride);
  add_tap(index);
}

// Widens by 1x1, filters each channel by 3x3, narrows by 1x1 without an activation.
void MobileNetV2::add_residual(Layers& features, std::int64_t index, std::int64_t expansion, std::int64_t width,
                               std::int64_t stride, const at::Generator& generator) {
  const std::string name = "features." + std::to_string(index);
  const Site& block = chain_.add_site(name, "block", width);
  const auto module = features.register_module(std::to_string(index), std::make_shared<Layers>());
  const auto conv = module->register_module("conv", std::make_shared<Layers>());
  const std::int64_t hidden = channels_ * expansion;
  std::vector<ConvolutionUnit> units;
  std::int64_t child = 0;
  const auto add_activated = [&](const Conv2dOptions& options) {
    const std::string place = std::to_string(child++);
    const auto group = conv->register_module(place, std::make_shared<Layers>());
    units.push_back(make_unit(*group, name + ".conv." + place + ".", 0, Activation::relu6, options, generator, chain_));
  };
  if (expansion != 1) add_activated({.in_channels = channels_, .out_channels = hidden});
  add_activated(
      {.in_channels = hidden, .out_channels = hidden, .kernel = 3, .stride = stride, .padding = 1, .groups = hidden});
  units.push_back(make_unit(*conv, name + ".conv.", child, Activation::none,
                            {.in_channels = hidden, .out_channels = width}, generator, chain_));

  const bool residual = stride == 1 && channels_ == width;
  chain_.add_step([units, residual, &block](const at::Tensor& input, const ForwardRequest& request) {
    return run_site(request, block, input, [&](const at::Tensor& value) {
      at::Tensor branch = value;
      for (std::size_t i = 0; i + 1 < units.size(); ++i) branch = units[i].forward(branch, request);
      return units.back().forward(branch, request, residual ? value : at::Tensor());
    });
  });
  if (index < parameters_.frozen_modules) module->set_requires_grad(false);
  channels_ = width;
  stride_px_ *= static_cast<double>(stride);
  add_tap(index);
}

ForwardResult MobileNetV2::forward(const ForwardRequest& request) {
  require_servable(request, *this);
  return chain_.run(with_channels_last(request));
}

std::shared_ptr<Backbone> MobileNetV2::clone() const {
  auto copy = std::make_shared<MobileNetV2>(parameters_, at::make_generator<at::CPUGeneratorImpl>());
  copy->to(classifier_->weight.device());
  copy->copy_from(*this);
  return copy;
}

StateReport MobileNetV2::load_weights(const NamedTensors& tensors) {
  StateReport report = load_state(tensors);
  if (!tensors.contains("classifier.1.weight") && !tensors.contains("classifier.1.bias")) {
    std::erase_if(report.missing, [](const std::string& name) { return name.starts_with("classifier."); });
  }
  return report;
}

at::Tensor MobileNetV2::reference_logits(const at::Tensor& final_tap) {
  if (!classifier_->weight.any().item<bool>()) {
    throw UserError("", "no classifier was loaded into this MobileNetV2", "weights that hold `classifier.1.weight`");
  }
  return classifier_->forward(final_tap.mean({2, 3}));
}

}  // namespace seedbed::mobilenet_v2
