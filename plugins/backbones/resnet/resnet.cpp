#include "resnet.hpp"

#include <string_view>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "kaiming_convolution.hpp"
#include "seedbed/convolution_unit.hpp"
#include "seedbed/error.hpp"

namespace seedbed::resnet {
namespace {

constexpr std::int64_t kImageNetClasses = 1000;

}  // namespace

class ResNet::Layers : public Module {
 public:
  using Module::register_module;
};

struct ResNet::StageShape {
  std::int64_t width;  // of the 3x3 convolutions
  std::int64_t depth;
  std::int64_t stride;
  std::int64_t first_dilation;  // of the first block
  std::int64_t dilation;        // of the others
};

ResNet::ResNet(const ResNetOptions& options, const at::Generator& generator) : options_(options) {
  const std::int64_t output_stride = options_.output_stride;
  if (output_stride != 32 && output_stride != 16 && output_stride != 8) {
    throw UserError("output_stride", "a ResNet has no such stride: `" + std::to_string(output_stride) + "`",
                    "32, 16 or 8");
  }
  if (options_.irn && output_stride != 32) {
    throw UserError("output_stride", "variant `irn` sets strides one by one", "`strides` and `dilations`");
  }
  if (options_.irn && (options_.strides.size() != 4 || options_.dilations.size() != 4)) {
    throw UserError("strides", "a ResNet has four stages", "four `strides` and four `dilations`");
  }
  add_stem(generator);
  std::int64_t stride = 4, dilation = 1;
  for (std::int64_t i = 0; i < 4; ++i) {
    StageShape shape{64 << i, options_.depths[i], i == 0 ? 1 : 2, 1, 1};
    if (options_.irn) {
      if (i > 0) shape.stride = options_.strides[i];
      shape.dilation = options_.dilations[i];
    } else {
      // torchvision: a stage that keeps its stride dilates instead, but its first block still as the stage before did.
      shape.first_dilation = dilation;
      if (stride * shape.stride > output_stride) {
        dilation *= shape.stride;
        shape.stride = 1;
      }
      stride *= shape.stride;
      shape.dilation = dilation;
    }
    add_stage(i + 1, shape, generator);
  }
  lay_out_channels_last(*this);
  if (options_.irn) return;
  classifier_ = register_module("fc", std::make_shared<Linear>(channels_, kImageNetClasses, true, generator));
  // It serves reference_logits() alone: no optimiser is to see it, and until weights are loaded it is zero.
  classifier_->set_requires_grad(false);
  classifier_->weight.zero_();
  classifier_->bias.zero_();
}

void ResNet::add_stem(const at::Generator& generator) {
  channels_ = 64;
  const std::int64_t stride = options_.irn ? options_.strides[0] : 2;
  stem_ = register_module(
      "conv1",
      kaiming_convolution({.in_channels = 3, .out_channels = channels_, .kernel = 7, .stride = stride, .padding = 3},
                          generator));
  const auto norm = register_module("bn1", std::make_shared<BatchNorm2d>(channels_));
  if (options_.frozen_stages >= 1) {
    stem_->set_requires_grad(false);
    norm->set_requires_grad(false);
  }
  const ConvolutionUnit unit(stem_, norm, Activation::relu, chain_, {"conv1", "bn1", "relu"});
  chain_.add_step(
      [unit](const at::Tensor& input, const ForwardRequest& request) { return unit.forward(input, request); });
  stride_px_ = static_cast<double>(stride);
  chain_.add_tap({.name = "relu", .aliases = {}, .channels = channels_, .stride_px = stride_px_});

  const Site& pool = chain_.add_site("maxpool", "pooling", channels_);
  chain_.add_step([&pool](const at::Tensor& input, const ForwardRequest& request) {
    return run_site(request, pool, input, [](const at::Tensor& value) { return at::max_pool2d(value, 3, 2, 1); });
  });
  chain_.end_segment();
  stride_px_ *= 2;
  chain_.add_tap({.name = "stage1", .aliases = {"stem", "maxpool"}, .channels = channels_, .stride_px = stride_px_});
}

void ResNet::add_stage(std::int64_t number, const StageShape& shape, const at::Generator& generator) {
  const std::string stage_name = "layer" + std::to_string(number);
  const auto stage = register_module(stage_name, std::make_shared<Layers>());
  const std::int64_t out_channels = shape.width * (options_.bottleneck ? 4 : 1);
  for (std::int64_t i = 0; i < shape.depth; ++i) {
    const std::int64_t stride = i == 0 ? shape.stride : 1;
    const std::int64_t dilation = i == 0 ? shape.first_dilation : shape.dilation;
    const std::string name = stage_name + "." + std::to_string(i);
    const auto module = stage->register_module(std::to_string(i), std::make_shared<Layers>());
    const Site& block = chain_.add_site(name, "block", out_channels);

    // The stride is on the 3x3 convolution of a bottleneck, on the first one of a basic block.
    std::vector<Conv2dOptions> convolutions;
    const auto add3x3 = [&](std::int64_t in, std::int64_t step) {
      convolutions.push_back({.in_channels = in,
                              .out_channels = shape.width,
                              .kernel = 3,
                              .stride = step,
                              .padding = dilation,
                              .dilation = dilation});
    };
    if (options_.bottleneck) {
      convolutions.push_back({.in_channels = channels_, .out_channels = shape.width});
      add3x3(shape.width, stride);
      convolutions.push_back({.in_channels = shape.width, .out_channels = out_channels});
    } else {
      add3x3(channels_, stride);
      add3x3(shape.width, 1);
    }

    // torchvision's order of modules, and so of initial values; the shortcut is computed first.
    std::vector<std::shared_ptr<Conv2d>> layers;
    std::vector<std::shared_ptr<BatchNorm2d>> norms;
    for (std::size_t j = 0; j < convolutions.size(); ++j) {
      const std::string index = std::to_string(j + 1);
      layers.push_back(module->register_module("conv" + index, kaiming_convolution(convolutions[j], generator)));
      norms.push_back(
          module->register_module("bn" + index, std::make_shared<BatchNorm2d>(convolutions[j].out_channels)));
    }
    std::vector<ConvolutionUnit> shortcut;  // none where the input fits
    if (stride != 1 || channels_ != out_channels) {
      const auto downsample = module->register_module("downsample", std::make_shared<Layers>());
      const auto layer = downsample->register_module(
          "0",
          kaiming_convolution({.in_channels = channels_, .out_channels = out_channels, .stride = stride}, generator));
      const auto norm = downsample->register_module("1", std::make_shared<BatchNorm2d>(out_channels));
      const std::string place = name + ".downsample.";
      shortcut.emplace_back(layer, norm, Activation::none, chain_,
                            ConvolutionUnit::Names{place + "0", place + "1", ""});
    }
    std::vector<ConvolutionUnit> units;
    for (std::size_t j = 0; j < layers.size(); ++j) {
      const std::string index = std::to_string(j + 1);
      units.emplace_back(layers[j], norms[j], Activation::relu, chain_,
                         ConvolutionUnit::Names{name + ".conv" + index, name + ".bn" + index, name + ".relu" + index});
    }

    chain_.add_step([units, shortcut, &block](const at::Tensor& input, const ForwardRequest& request) {
      return run_site(request, block, input, [&](const at::Tensor& value) {
        const at::Tensor direct = shortcut.empty() ? value : shortcut.front().forward(value, request);
        at::Tensor branch = value;
        for (std::size_t j = 0; j + 1 < units.size(); ++j) branch = units[j].forward(branch, request);
        return units.back().forward(branch, request, direct);
      });
    });
    chain_.end_segment();
    if (options_.frozen_stages > number) module->set_requires_grad(false);
    channels_ = out_channels;
    stride_px_ *= static_cast<double>(stride);
    TapInfo tap{.name = name, .aliases = {}, .channels = channels_, .stride_px = stride_px_};
    if (i + 1 == shape.depth) {
      tap.aliases = {name, stage_name};
      tap.name = "stage" + std::to_string(number + 1);
      if (number == 4) {
        tap.aliases.push_back(tap.name);
        tap.name = "final";
      }
    }
    chain_.add_tap(std::move(tap));
  }
}

ForwardResult ResNet::forward(const ForwardRequest& request) {
  require_servable(request, *this);
  return chain_.run(with_channels_last(request));
}

std::shared_ptr<Backbone> ResNet::clone() const {
  auto copy = std::make_shared<ResNet>(options_, at::make_generator<at::CPUGeneratorImpl>());
  copy->to(stem_->weight.device());
  copy->copy_from(*this);
  return copy;
}

StateReport ResNet::load_weights(const NamedTensors& tensors) {
  StateReport report = load_state(tensors);
  const auto of_classifier = [](const std::string& name) { return name.starts_with("fc."); };
  if (!classifier_) std::erase_if(report.extra, of_classifier);
  if (!tensors.contains("fc.weight") && !tensors.contains("fc.bias")) std::erase_if(report.missing, of_classifier);
  return report;
}

at::Tensor ResNet::reference_logits(const at::Tensor& final_tap) {
  if (!classifier_) return Backbone::reference_logits(final_tap);
  if (!classifier_->weight.any().item<bool>()) {
    throw UserError("", "no classifier was loaded into this ResNet", "weights that hold `fc.weight` and `fc.bias`");
  }
  return classifier_->forward(final_tap.mean({2, 3}));
}

}  // namespace seedbed::resnet
