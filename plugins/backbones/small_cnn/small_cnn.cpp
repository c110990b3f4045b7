#include "small_cnn.hpp"

#include <bit>
#include <cmath>
#include <numeric>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>

#include "seedbed/convolution_unit.hpp"
#include "seedbed/error.hpp"

namespace seedbed::small_cnn {
namespace {

constexpr std::int64_t kNumStages = 5;
constexpr std::int64_t kMostGroups = 8;

// Where a network is trained from scratch through ReLUs, Kaiming's rule keeps the signal's size from layer to layer.
void initialise(Conv2d& layer, const at::Generator& generator) {
  const c10::NoGradGuard no_grad;
  const double deviation = std::sqrt(2.0 / static_cast<double>(layer.weight[0].numel()));
  layer.weight.normal_(0, deviation, generator);
  if (layer.bias.defined()) layer.bias.zero_();
}

}  // namespace

class SmallCnn::Stage : public Module {
 public:
  using Module::register_module;
};

SmallCnn::SmallCnn(const SmallCnnParameters& parameters, const at::Generator& generator) : parameters_(parameters) {
  const auto output_stride = static_cast<std::uint64_t>(parameters_.output_stride);
  if (!std::has_single_bit(output_stride)) {
    throw UserError("output_stride", "the output stride is no power of two: `" + std::to_string(output_stride) + "`",
                    "1, 2, 4, 8, 16 or 32");
  }
  const std::int64_t halvings = std::countr_zero(output_stride);
  std::int64_t in_channels = 3;
  for (std::int64_t number = 1; number <= kNumStages; ++number) {
    const std::string name = "stage" + std::to_string(number);
    const auto stage = register_module(name, std::make_shared<Stage>());
    const std::int64_t channels = parameters_.width * std::min<std::int64_t>(4, std::int64_t{1} << (number - 1));
    for (std::int64_t i = 1; i <= parameters_.depth; ++i) {
      add_convolution(*stage, name, i,
                      {.in_channels = in_channels,
                       .out_channels = channels,
                       .kernel = 3,
                       .stride = i == 1 && number <= halvings ? 2 : 1,
                       .padding = 1,
                       .bias = parameters_.norm == "none"},
                      generator);
      in_channels = channels;
    }
    chain_.end_segment();
    const auto stride_px = static_cast<double>(std::int64_t{1} << std::min(number, halvings));
    const bool last = number == kNumStages;
    chain_.add_tap({.name = last ? "final" : name,
                    .aliases = last ? std::vector{name} : std::vector<std::string>{},
                    .channels = channels,
                    .stride_px = stride_px});
  }
}

void SmallCnn::add_convolution(Stage& stage, const std::string& stage_name, std::int64_t number,
                               const Conv2dOptions& options, const at::Generator& generator) {
  const std::string suffix = std::to_string(number);
  const auto layer = stage.register_module("conv" + suffix, std::make_shared<Conv2d>(options, generator));
  initialise(*layer, generator);
  const Site& convolution = chain_.add_site(stage_name + ".conv" + suffix, "convolution", options.out_channels);
  chain_.add_step([layer, &convolution](const at::Tensor& input, const ForwardRequest& request) {
    return convolve_at_site(request, convolution, *layer, input);
  });
  if (parameters_.norm != "none") add_norm(stage, stage_name, number, options.out_channels);
  const Site& activation = chain_.add_site(stage_name + ".activation" + suffix, "activation", options.out_channels);
  chain_.add_step([&activation](const at::Tensor& input, const ForwardRequest& request) {
    return activated_at_site(request, activation, Activation::relu, input);
  });
}

void SmallCnn::add_norm(Stage& stage, const std::string& stage_name, std::int64_t number, std::int64_t channels) {
  const std::string name = "norm" + std::to_string(number);
  const Site& site = chain_.add_site(stage_name + "." + name, "norm", channels);
  if (parameters_.norm == "batch") {
    const auto layer = stage.register_module(name, std::make_shared<BatchNorm2d>(channels));
    chain_.add_step([layer, &site](const at::Tensor& input, const ForwardRequest& request) {
      return run_site(request, site, input, [&](const at::Tensor& value) {
        return layer->forward(value, request.batch_norm, request.parameters);
      });
    });
  } else {
    const auto layer =
        stage.register_module(name, std::make_shared<GroupNorm>(std::gcd(channels, kMostGroups), channels));
    chain_.add_step([layer, &site](const at::Tensor& input, const ForwardRequest& request) {
      return run_site(request, site, input,
                      [&](const at::Tensor& value) { return layer->forward(value, request.parameters); });
    });
  }
}

ForwardResult SmallCnn::forward(const ForwardRequest& request) {
  require_servable(request, *this);
  return chain_.run(request);
}

std::shared_ptr<Backbone> SmallCnn::clone() const {
  auto copy = std::make_shared<SmallCnn>(parameters_, at::make_generator<at::CPUGeneratorImpl>());
  copy->to(named_parameters().front().second.device());
  copy->copy_from(*this);
  return copy;
}

}  // namespace seedbed::small_cnn
