#include "resnet38d.hpp"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "seedbed/convolution_unit.hpp"

namespace seedbed::resnet38d {

class ResNet38d::Layers : public Module {
 public:
  using Module::register_module;
};

// Batch norm and ReLU, each a site.
class ResNet38d::PreActivation {
 public:
  PreActivation(std::shared_ptr<BatchNorm2d> norm, StepChain& chain, const std::string& name)
      : norm_(std::move(norm)),
        normalisation_(&chain.add_site(name, "norm", norm_->weight.size(0))),
        activation_(&chain.add_site(name + "_activation", "activation", norm_->weight.size(0))) {}

  at::Tensor forward(const at::Tensor& input, const ForwardRequest& request) const {
    return normed_at_sites(request, *normalisation_, *norm_, *activation_, Activation::relu, input);
  }

 private:
  std::shared_ptr<BatchNorm2d> norm_;
  const Site* normalisation_;
  const Site* activation_;
};

struct ResNet38d::UnitConvolution {
  std::string suffix;  // "2a": bn_branch2a, conv_branch2a
  std::int64_t out_channels;
  std::int64_t kernel;
  std::int64_t stride;
  std::int64_t dilation;
};

ResNet38d::ResNet38d(const Resnet38dParameters& parameters, const at::Generator& generator) : parameters_(parameters) {
  const bool frozen = parameters_.frozen == "psa";
  channels_ = 64;
  stem_ = register_module(
      "conv1a",
      std::make_shared<Conv2d>(
          Conv2dOptions{.in_channels = 3, .out_channels = channels_, .kernel = 3, .padding = 1, .bias = false},
          generator));
  if (frozen) stem_->set_requires_grad(false);
  const Site& site = chain_.add_site("conv1a", "convolution", channels_);
  chain_.add_step([stem = stem_, &site](const at::Tensor& input, const ForwardRequest& request) {
    return convolve_at_site(request, site, *stem, input);
  });
  add_tap("stage1", {"conv1a"});

  const auto add_pairs = [&](const std::string& name, std::int64_t count, std::int64_t width, std::int64_t out_channels,
                             std::int64_t stride, std::int64_t dilation) {
    add_pair(name, width, out_channels, stride, 1, dilation, generator);
    for (std::int64_t i = 1; i < count; ++i) {
      add_tap(i == 1 ? name : name + "_" + std::to_string(i - 1));
      add_pair(name + "_" + std::to_string(i), width, out_channels, 1, dilation, dilation, generator);
    }
  };
  add_pairs("b2", 3, 128, 128, 2, 1);
  add_tap("stage2", {"b2_2"});
  add_pairs("b3", 3, 256, 256, 2, 1);
  add_tap("stage3", {"b3_2"});
  add_pairs("b4", 6, 512, 512, 2, 1);
  add_tap("b4_5");
  add_pairs("b5", 3, 512, 1024, 1, 2);
  add_tap("b5_2");
  add_bottleneck("b6", 2048, 0.3, generator);
  add_tap("b6");
  add_bottleneck("b7", 4096, 0.5, generator);
  add_tap("b7");

  const auto norm = register_module("bn7", std::make_shared<BatchNorm2d>(channels_));
  if (frozen) norm->set_requires_grad(false);
  const PreActivation last(norm, chain_, "bn7");
  chain_.add_step(
      [last](const at::Tensor& input, const ForwardRequest& request) { return last.forward(input, request); });
  add_tap("final", {"conv6"});
  lay_out_channels_last(*this);
}

void ResNet38d::add_tap(std::string name, std::vector<std::string> aliases) {
  chain_.add_tap(
      {.name = std::move(name), .aliases = std::move(aliases), .channels = channels_, .stride_px = stride_px_});
}

void ResNet38d::add_pair(const std::string& name, std::int64_t width, std::int64_t out_channels, std::int64_t stride,
                         std::int64_t first_dilation, std::int64_t dilation, const at::Generator& generator) {
  add_unit(name, {{"2a", width, 3, stride, first_dilation}, {"2b1", out_channels, 3, 1, dilation}}, 0, generator);
}

void ResNet38d::add_bottleneck(const std::string& name, std::int64_t out_channels, double dropout,
                               const at::Generator& generator) {
  add_unit(name,
           {{"2a", out_channels / 4, 1, 1, 1}, {"2b1", out_channels / 2, 3, 1, 4}, {"2b2", out_channels, 1, 1, 1}},
           dropout, generator);
}

// Norm, ReLU, convolution, as often as listed. The shortcut is the input, or where the shape changes a 1x1 convolution
// of what the first ReLU gives; then that alone feeds the unit, so it is a step of its own and may be a tap.
void ResNet38d::add_unit(const std::string& name, const std::vector<UnitConvolution>& convolutions, double dropout,
                         const at::Generator& generator) {
  const bool frozen = parameters_.frozen == "psa";
  const auto unit = register_module(name, std::make_shared<Layers>());
  const std::int64_t in_channels = channels_, out_channels = convolutions.back().out_channels;
  const std::int64_t stride = convolutions.front().stride;
  const bool changes = stride != 1 || in_channels != out_channels;

  struct Layer {
    PreActivation before;
    std::shared_ptr<Dropout> dropout;
    std::shared_ptr<Conv2d> convolution;
    const Site* site;
  };
  std::vector<Layer> layers;
  std::int64_t channels = in_channels;
  for (const UnitConvolution& each : convolutions) {
    const std::string norm_name = "bn_branch" + each.suffix, layer_name = "conv_branch" + each.suffix;
    const auto norm = unit->register_module(norm_name, std::make_shared<BatchNorm2d>(channels));
    if (frozen) norm->set_requires_grad(false);
    const PreActivation before(norm, chain_, name + "." + norm_name);
    const auto drop =
        unit->register_module("dropout_" + each.suffix, std::make_shared<Dropout>(layers.empty() ? 0 : dropout, true));
    const auto layer = unit->register_module(
        layer_name, std::make_shared<Conv2d>(Conv2dOptions{.in_channels = channels,
                                                           .out_channels = each.out_channels,
                                                           .kernel = each.kernel,
                                                           .stride = each.stride,
                                                           .padding = each.kernel == 3 ? each.dilation : 0,
                                                           .dilation = each.dilation,
                                                           .bias = false},
                                             generator));
    layers.push_back(
        {before, drop, layer, &chain_.add_site(name + "." + layer_name, "convolution", each.out_channels)});
    channels = each.out_channels;
  }
  const auto finish = [layers](at::Tensor branch, const ForwardRequest& request) {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (i > 0) branch = layers[i].before.forward(branch, request);
      const at::Generator generator_of_run = request.run ? request.run->generator() : at::Generator();
      branch = layers[i].dropout->forward(branch, generator_of_run);
      branch = convolve_at_site(request, *layers[i].site, *layers[i].convolution, branch);
    }
    return branch;
  };

  if (changes) {
    const auto shortcut = unit->register_module(
        "conv_branch1",
        std::make_shared<Conv2d>(
            Conv2dOptions{.in_channels = in_channels, .out_channels = out_channels, .stride = stride, .bias = false},
            generator));
    const Site& site = chain_.add_site(name + ".conv_branch1", "convolution", out_channels);
    chain_.add_step([first = layers.front().before](const at::Tensor& input, const ForwardRequest& request) {
      return first.forward(input, request);
    });
    if (name == "b5") add_tap("stage4", {"conv4"});
    if (name == "b6") add_tap("stage5", {"conv5"});
    chain_.add_step([finish, shortcut, &site](const at::Tensor& activated, const ForwardRequest& request) {
      const at::Tensor branch = finish(activated, request);
      return branch + convolve_at_site(request, site, *shortcut, activated);
    });
  } else {
    chain_.add_step([finish, first = layers.front().before](const at::Tensor& input, const ForwardRequest& request) {
      return finish(first.forward(input, request), request) + input;
    });
  }
  chain_.end_segment();
  if (frozen && name.starts_with("b2")) unit->set_requires_grad(false);
  channels_ = out_channels;
  stride_px_ *= static_cast<double>(stride);
}

ForwardResult ResNet38d::forward(const ForwardRequest& request) {
  require_servable(request, *this);
  return chain_.run(with_channels_last(request));
}

std::shared_ptr<Backbone> ResNet38d::clone() const {
  auto copy = std::make_shared<ResNet38d>(parameters_, at::make_generator<at::CPUGeneratorImpl>());
  copy->to(stem_->weight.device());
  copy->copy_from(*this);
  return copy;
}

StateReport ResNet38d::load_weights(const NamedTensors& tensors) {
  StateReport report = load_state(tensors);
  std::erase_if(report.extra,
                [](const std::string& name) { return name.starts_with("fc8.") || name.starts_with("linear1000."); });
  return report;
}

}  // namespace seedbed::resnet38d
