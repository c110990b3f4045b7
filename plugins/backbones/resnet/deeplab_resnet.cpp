#include "deeplab_resnet.hpp"

#include <algorithm>
#include <string_view>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "kaiming_convolution.hpp"
#include "seedbed/error.hpp"

namespace seedbed::resnet {
namespace {

constexpr std::int64_t kStemChannels = 64;
constexpr std::int64_t kExpansion = 4;  // of a bottleneck
constexpr double kEpsilon = 1e-5;
constexpr double kMomentum = 0.001;  // deeplab-pytorch: 1 - 0.999

// Strides of layer2 to layer5, and dilations of their blocks.
struct StageShapes {
  std::array<std::int64_t, 4> strides;
  std::array<std::int64_t, 4> dilations;
};

StageShapes stage_shapes(std::int64_t output_stride) {
  if (output_stride == 32) return {{1, 2, 2, 2}, {1, 1, 1, 1}};
  if (output_stride == 16) return {{1, 2, 2, 1}, {1, 1, 1, 2}};
  if (output_stride == 8) return {{1, 2, 1, 1}, {1, 1, 2, 4}};
  throw UserError("output_stride", "a ResNet has no such stride: `" + std::to_string(output_stride) + "`",
                  "32, 16 or 8");
}

}  // namespace

class DeepLabResNet::Group : public Module {
 public:
  using Module::register_module;
};

struct DeepLabResNet::BlockShape {
  std::int64_t width;  // of the 3x3 convolution
  std::int64_t stride;
  std::int64_t dilation;
  bool has_shortcut;
};

DeepLabResNet::DeepLabResNet(const DeepLabResNetOptions& options, const at::Generator& generator) : options_(options) {
  const StageShapes shapes = stage_shapes(options_.output_stride);
  if (options_.multi_grid.empty()) {
    throw UserError("multi_grid", "the last stage's blocks have dilations", "at least one factor, as in `[1, 2, 4]`");
  }
  add_stem(generator);
  for (std::size_t i = 0; i < shapes.strides.size(); ++i) {
    add_stage(i, shapes.strides[i], shapes.dilations[i], generator);
  }
  lay_out_channels_last(*this);
}

Normalisation DeepLabResNet::normalisation() const {
  // ImageNet's mean as Caffe's models subtract it, blue first.
  return {.mean = {104.008, 116.669, 122.675}, .deviation = {1.0, 1.0, 1.0}, .scale = 1.0, .bgr = true};
}

ConvolutionUnit DeepLabResNet::add_unit(Group& owner, const std::string& path, const std::string& name,
                                        const Conv2dOptions& options, Activation activation,
                                        const at::Generator& generator) {
  const auto group = owner.register_module(name, std::make_shared<Group>());
  const auto layer = group->register_module("conv", kaiming_convolution(options, generator));
  const auto norm =
      group->register_module("bn", std::make_shared<BatchNorm2d>(options.out_channels, kEpsilon, kMomentum));
  const std::string place = path + "." + name;
  if (!stem_) stem_ = layer;
  return {layer, norm, activation, chain_, {place + ".conv", place + ".bn", place + ".relu"}};
}

void DeepLabResNet::add_stem(const at::Generator& generator) {
  channels_ = kStemChannels;
  const auto group = register_module("layer1", std::make_shared<Group>());
  const ConvolutionUnit unit = add_unit(
      *group, "layer1", "conv1", {.in_channels = 3, .out_channels = channels_, .kernel = 7, .stride = 2, .padding = 3},
      Activation::relu, generator);
  if (options_.frozen_stages >= 1) group->set_requires_grad(false);
  chain_.add_step(
      [unit](const at::Tensor& input, const ForwardRequest& request) { return unit.forward(input, request); });
  chain_.add_tap({.name = "relu", .aliases = {}, .channels = channels_, .stride_px = 2});

  const Site& pool = chain_.add_site("layer1.pool", "pooling", channels_);
  chain_.add_step([&pool](const at::Tensor& input, const ForwardRequest& request) {
    return run_site(request, pool, input, [](const at::Tensor& value) {
      return at::max_pool2d(value, 3, 2, 1, /*dilation=*/1, /*ceil_mode=*/true);
    });
  });
  chain_.end_segment();
  stride_px_ = 4;
  chain_.add_tap({.name = "stage1", .aliases = {"stem", "layer1"}, .channels = channels_, .stride_px = stride_px_});
}

void DeepLabResNet::add_stage(std::size_t index, std::int64_t stride, std::int64_t dilation,
                              const at::Generator& generator) {
  const auto number = static_cast<std::int64_t>(index) + 2;
  const bool last_stage = index == 3;
  const std::string stage_name = "layer" + std::to_string(number);
  const auto stage = register_module(stage_name, std::make_shared<Group>());
  for (std::int64_t i = 0; i < options_.depths[index]; ++i) {
    const auto grid = std::min(static_cast<std::size_t>(i), options_.multi_grid.size() - 1);
    const std::string block = "block" + std::to_string(i + 1);
    add_block(*stage, stage_name + "." + block,
              {.width = kStemChannels << index,
               .stride = i == 0 ? stride : 1,
               .dilation = dilation * (last_stage ? options_.multi_grid[grid] : 1),
               .has_shortcut = i == 0},
              generator);
    chain_.end_segment();
    TapInfo tap{.name = stage_name + "." + block, .aliases = {}, .channels = channels_, .stride_px = stride_px_};
    if (i + 1 == options_.depths[index]) {
      const std::string canonical = "stage" + std::to_string(number);
      tap.aliases = {tap.name, stage_name};
      if (last_stage) tap.aliases.push_back(canonical);
      tap.name = last_stage ? "final" : canonical;
    }
    chain_.add_tap(std::move(tap));
  }
  if (options_.frozen_stages >= number) stage->set_requires_grad(false);
}

void DeepLabResNet::add_block(Group& stage, const std::string& name, const BlockShape& shape,
                              const at::Generator& generator) {
  const std::int64_t out_channels = shape.width * kExpansion;
  const auto group = stage.register_module(name.substr(name.rfind('.') + 1), std::make_shared<Group>());
  const Site& block = chain_.add_site(name, "block", out_channels);
  const Conv2dOptions reduce{.in_channels = channels_, .out_channels = shape.width, .stride = shape.stride};
  const Conv2dOptions conv3x3{.in_channels = shape.width,
                              .out_channels = shape.width,
                              .kernel = 3,
                              .padding = shape.dilation,
                              .dilation = shape.dilation};
  const Conv2dOptions increase{.in_channels = shape.width, .out_channels = out_channels};
  // The shortcut is computed first, so its sites come first.
  std::vector<ConvolutionUnit> shortcut;  // none where the input fits
  if (shape.has_shortcut) {
    shortcut.push_back(add_unit(*group, name, "shortcut",
                                {.in_channels = channels_, .out_channels = out_channels, .stride = shape.stride},
                                Activation::none, generator));
  }
  const std::array<ConvolutionUnit, 3> units{add_unit(*group, name, "reduce", reduce, Activation::relu, generator),
                                             add_unit(*group, name, "conv3x3", conv3x3, Activation::relu, generator),
                                             add_unit(*group, name, "increase", increase, Activation::relu, generator)};
  chain_.add_step([units, shortcut, &block](const at::Tensor& input, const ForwardRequest& request) {
    return run_site(request, block, input, [&](const at::Tensor& value) {
      const at::Tensor direct = shortcut.empty() ? value : shortcut.front().forward(value, request);
      const at::Tensor hidden = units[1].forward(units[0].forward(value, request), request);
      return units[2].forward(hidden, request, direct);
    });
  });
  channels_ = out_channels;
  stride_px_ *= static_cast<double>(shape.stride);
}

ForwardResult DeepLabResNet::forward(const ForwardRequest& request) {
  require_servable(request, *this);
  return chain_.run(with_channels_last(request));
}

StateReport DeepLabResNet::load_weights(const NamedTensors& tensors) {
  constexpr std::string_view wrapper = "base.";
  NamedTensors unwrapped;
  for (const auto& [name, tensor] : tensors) {
    unwrapped[name.starts_with(wrapper) ? name.substr(wrapper.size()) : name] = tensor;
  }
  return load_state(unwrapped);
}

std::shared_ptr<Backbone> DeepLabResNet::clone() const {
  auto copy = std::make_shared<DeepLabResNet>(options_, at::make_generator<at::CPUGeneratorImpl>());
  copy->to(stem_->weight.device());
  copy->copy_from(*this);
  return copy;
}

}  // namespace seedbed::resnet
