#include "squeezenet.hpp"

#include <cmath>
#include <string_view>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>

#include "seedbed/convolution_unit.hpp"

namespace seedbed::squeezenet {
namespace {

constexpr std::int64_t kImageNetClasses = 1000;

// The order of pools (P) and fire modules (F) behind the stem: features.2, features.3 ...
std::string_view layout(const std::string& variant) { return variant == "1.1" ? "PFFPFFPFFFF" : "PFFFPFFFFPF"; }

// The stage that fire module `fire` (2..9) ends, "" for the others. Stage 5 is the last one in both layouts; where the
// stride does not change between two stages, the module in the middle divides them.
std::string stage_ended_by(std::int64_t fire, const std::string& variant) {
  const std::vector<std::int64_t> ends = variant == "1.1" ? std::vector<std::int64_t>{3, 5, 7, 9}  // stages 2..5
                                                          : std::vector<std::int64_t>{4, 6, 8, 9};
  for (std::size_t i = 0; i < ends.size(); ++i) {
    if (ends[i] == fire) return "stage" + std::to_string(i + 2);
  }
  return {};
}

// torchvision draws weights by Kaiming's rule for ReLU (the classifier's from N(0, 0.01)) and starts biases at 0.
std::shared_ptr<Conv2d> convolution(const Conv2dOptions& options, const at::Generator& generator) {
  auto layer = std::make_shared<Conv2d>(options, generator);
  const c10::NoGradGuard no_grad;
  const double bound = std::sqrt(6.0 / static_cast<double>(layer->weight[0].numel()));
  layer->weight.uniform_(-bound, bound, generator);
  layer->bias.zero_();
  return layer;
}

}  // namespace

// torchvision's nn.Sequential: children by number (and a fire module's by name).
class SqueezeNet::Layers : public Module {
 public:
  using Module::register_module;
};

SqueezeNet::SqueezeNet(const SqueezenetParameters& parameters, const at::Generator& generator)
    : parameters_(parameters), generator_(generator) {
  const auto features = register_module("features", std::make_shared<Layers>());
  add_stem(*features);
  std::int64_t index = 2;
  std::int64_t fire = 2;  // the paper counts fire modules from 2
  for (const char kind : layout(parameters_.variant)) {
    if (kind == 'P') {
      add_pool(index++);
    } else {
      add_fire(*features, index++, fire++);
    }
  }

  const Conv2dOptions options{.in_channels = channels_,
                              .out_channels = kImageNetClasses,
                              .padding = parameters_.variant == "caffe_1.0" ? 1 : 0};
  const auto classifier = register_module("classifier", std::make_shared<Layers>());
  classifier_ = classifier->register_module("1", convolution(options, generator_));
  const c10::NoGradGuard no_grad;
  classifier_->weight.normal_(0, 0.01, generator_);
  // It serves reference_logits() alone: no optimiser is to see it.
  classifier_->set_requires_grad(false);
  generator_ = {};
  lay_out_channels_last(*this);
}

void SqueezeNet::add_tap(std::int64_t index, std::vector<std::string> names) {
  names.push_back("features." + std::to_string(index));
  chain_.add_tap({.name = names.front(),
                  .aliases = {names.begin() + 1, names.end()},
                  .channels = channels_,
                  .stride_px = stride_px_});
}

void SqueezeNet::add_stem(Layers& features) {
  const bool small = parameters_.variant == "1.1";
  channels_ = small ? 64 : 96;
  stride_px_ = 2;
  const auto layer = features.register_module(
      "0",
      convolution({.in_channels = 3, .out_channels = channels_, .kernel = small ? 3 : 7, .stride = 2}, generator_));

  const Site& site = chain_.add_site("features.0", "convolution", channels_);
  chain_.add_step([layer, &site](const at::Tensor& input, const ForwardRequest& request) {
    return convolve_at_site(request, site, *layer, input);
  });
  add_tap(0);
  const Site& activation = chain_.add_site("features.1", "activation", channels_);
  chain_.add_step([&activation](const at::Tensor& input, const ForwardRequest& request) {
    return run_site(request, activation, input, [](const at::Tensor& value) { return at::relu(value); });
  });
  add_tap(1, {"stage1"});
}

void SqueezeNet::add_pool(std::int64_t index) {
  const Site& site = chain_.add_site("features." + std::to_string(index), "pooling", channels_);
  chain_.add_step([&site](const at::Tensor& input, const ForwardRequest& request) {
    return run_site(request, site, input,
                    [](const at::Tensor& value) { return at::max_pool2d(value, 3, 2, 0, 1, /*ceil_mode=*/true); });
  });
  chain_.end_segment();
  stride_px_ *= 2;
  add_tap(index);
}

// Squeezes by a 1x1 convolution, then expands by a 1x1 and a 3x3 one side by side.
void SqueezeNet::add_fire(Layers& features, std::int64_t index, std::int64_t fire) {
  const std::int64_t squeezed = 16 * (fire / 2);
  const std::int64_t expanded = 4 * squeezed;
  const std::string name = "features." + std::to_string(index);
  const Site& block = chain_.add_site(name, "block", 2 * expanded);
  const auto module = features.register_module(std::to_string(index), std::make_shared<Layers>());
  const auto add = [&](const std::string& child, const Conv2dOptions& options) {
    const std::string place = name + "." + child;
    return ConvolutionUnit(module->register_module(child, convolution(options, generator_)), nullptr, Activation::relu,
                           chain_, {place, "", place + "_activation"});
  };
  const auto squeeze = add("squeeze", {.in_channels = channels_, .out_channels = squeezed});
  const auto expand1x1 = add("expand1x1", {.in_channels = squeezed, .out_channels = expanded});
  const auto expand3x3 =
      add("expand3x3", {.in_channels = squeezed, .out_channels = expanded, .kernel = 3, .padding = 1});
  chain_.add_step([=, &block](const at::Tensor& input, const ForwardRequest& request) {
    return run_site(request, block, input, [&](const at::Tensor& value) {
      const at::Tensor narrow = squeeze.forward(value, request);
      return at::cat({expand1x1.forward(narrow, request), expand3x3.forward(narrow, request)}, 1);
    });
  });

  chain_.end_segment();
  channels_ = 2 * expanded;
  std::vector<std::string> names{"fire" + std::to_string(fire)};
  const std::string stage = stage_ended_by(fire, parameters_.variant);
  if (!stage.empty()) names.insert(names.begin(), stage);
  if (stage == "stage5") names.insert(names.begin(), "final");
  add_tap(index, std::move(names));
}

Normalisation SqueezeNet::normalisation() const {
  if (parameters_.variant != "caffe_1.0") return {};
  return {.mean = {104, 117, 123}, .deviation = {1, 1, 1}, .scale = 1, .bgr = true};
}

// The last pool needs 2 cells, the one before 4, the first 8: 21 pixels behind a 7x7 stem, 17 behind a 3x3 one.
std::int64_t SqueezeNet::minimum_size_px() const { return parameters_.variant == "1.1" ? 17 : 21; }

ForwardResult SqueezeNet::forward(const ForwardRequest& request) {
  require_servable(request, *this);
  return chain_.run(with_channels_last(request));
}

std::shared_ptr<Backbone> SqueezeNet::clone() const {
  auto copy = std::make_shared<SqueezeNet>(parameters_, at::make_generator<at::CPUGeneratorImpl>());
  copy->to(classifier_->weight.device());
  copy->copy_from(*this);
  return copy;
}

at::Tensor SqueezeNet::reference_maps(const at::Tensor& final_tap) const { return classifier_->forward(final_tap); }

at::Tensor SqueezeNet::reference_logits(const at::Tensor& final_tap) {
  return at::relu(reference_maps(final_tap)).mean({2, 3});
}

}  // namespace seedbed::squeezenet
