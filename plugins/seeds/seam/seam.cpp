#include "seam.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "pixel_correlation.hpp"
#include "seam_losses.hpp"
#include "seedbed/error.hpp"
#include "seedbed/fine_tuning_parameters.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::seam {
namespace {

constexpr std::int64_t kImageChannels = 3;

// What SEAM adds starts otherwise than PyTorch's layers do (network/resnet38_SEAM.py).
void draw_xavier(Conv2d& layer, double gain, const at::Generator& generator) {
  const c10::NoGradGuard no_grad;
  const auto fans = static_cast<double>(layer.weight.size(0) + layer.weight.size(1));
  const double bound = gain * std::sqrt(6.0 / fans);
  layer.weight.uniform_(-bound, bound, generator);
}

void draw_kaiming(Conv2d& layer, const at::Generator& generator) {
  const c10::NoGradGuard no_grad;
  layer.weight.normal_(0, std::sqrt(2.0 / static_cast<double>(layer.weight.size(1))), generator);
}

std::shared_ptr<Conv2d> projection(std::int64_t in_channels, std::int64_t out_channels,
                                   const at::Generator& generator) {
  return std::make_shared<Conv2d>(
      Conv2dOptions{.in_channels = in_channels, .out_channels = out_channels, .bias = false}, generator);
}

TapInfo map_tap(const Backbone& backbone, const std::string& name) {
  TapInfo tap = find_tap(backbone, name);
  if (!tap.is_sequence) return tap;
  throw UserError("seam", "SEAM compares the cells of a map, and this tap is a sequence: `" + name + "`",
                  "a tap with a map");
}

at::Tensor resized(const at::Tensor& maps, std::int64_t height, std::int64_t width) {
  if (maps.size(2) == height && maps.size(3) == width) return maps;
  return kernels::resize_maps(maps, height, width, /*align_corners=*/true);
}

}  // namespace

Seam::Seam(const SeamParameters& parameters, const ModelContext& context)
    : parameters_(parameters),
      backbone_(register_module("backbone", context.backbone), fine_tuning_options(parameters)) {
  const std::size_t num_context = parameters_.context_taps.size();
  if (parameters_.context_widths.size() != num_context) {
    throw UserError("context_widths",
                    "each tap of the context has a width: `" + std::to_string(num_context) + "` taps, `" +
                        std::to_string(parameters_.context_widths.size()) + "` widths",
                    "as many `context_widths` as `context_taps`");
  }
  const at::Generator generator = context.run->generator();
  const Backbone& network = backbone_.backbone();
  classifier_ = register_module(
      "classifier", projection(map_tap(network, parameters_.tap).channels, context.num_classes() + 1, generator));
  draw_xavier(*classifier_, 1.0, generator);
  dropout_ = register_module("dropout", std::make_shared<Dropout>(parameters_.dropout, /*whole_channels=*/true));
  std::int64_t channels = kImageChannels;
  for (std::size_t i = 0; i < num_context; ++i) {
    const std::int64_t width = parameters_.context_widths[i];
    context_.push_back(
        register_module("context_" + std::to_string(i + 1),
                        projection(map_tap(network, parameters_.context_taps[i]).channels, width, generator)));
    draw_kaiming(*context_.back(), generator);
    channels += width;
  }
  correlation_ = register_module("correlation", projection(channels, parameters_.correlation_width, generator));
  draw_xavier(*correlation_, 4.0, generator);
}

void Seam::on_train_mode(bool /*on*/) { backbone_.keep_frozen_part_evaluating(); }

std::vector<ParameterGroup> Seam::parameter_groups() {
  std::vector<const Module*> added{classifier_.get(), correlation_.get()};
  for (const auto& layer : context_) added.push_back(layer.get());
  return backbone_.parameter_groups(added);
}

at::Tensor Seam::context_of(const at::Tensor& images_nchw, const NamedTensors& taps, at::IntArrayRef cells) const {
  std::vector<at::Tensor> parts{resized(images_nchw, cells[0], cells[1])};
  for (std::size_t i = 0; i < context_.size(); ++i) {
    const at::Tensor& tap = taps.at(parameters_.context_taps[i]);
    const at::Tensor features = parameters_.context_gradient ? tap : tap.detach();
    parts.push_back(resized(context_[i]->forward(features).relu(), cells[0], cells[1]));
  }
  return correlation_->forward(at::cat(parts, 1));
}

Seam::Maps Seam::maps_of(const at::Tensor& images_nchw, bool at_input, RunContext& run) const {
  std::vector<std::string> names = parameters_.context_taps;
  names.push_back(parameters_.tap);
  const NamedTensors taps = backbone_.taps(images_nchw, names, &run);
  const at::Tensor plain = classifier_->forward(dropout_->forward(taps.at(parameters_.tap), run.generator()));
  const at::Tensor refined = correlate(spreadable(plain), context_of(images_nchw, taps, plain.sizes().slice(2)));
  if (!at_input) return {plain, refined};
  return {resized(plain, images_nchw.size(2), images_nchw.size(3)),
          resized(refined, images_nchw.size(2), images_nchw.size(3))};
}

SeedResult Seam::generate(const SeedRequest& request) {
  const Maps maps = maps_of(request.images_nchw, parameters_.maps_at_input, *request.run);
  SeedResult result;
  result.maps.scores_nphw = (parameters_.map == "plain" ? maps.plain : maps.refined).slice(1, 1).contiguous();
  result.maps.planes.resize(static_cast<std::size_t>(result.maps.scores_nphw.size(1)));
  std::iota(result.maps.planes.begin(), result.maps.planes.end(), 1);
  for (const View& view : request.views) result.maps.covered.push_back(view.covered);
  if (request.logits_wanted) result.logits_nc = maps.plain.slice(1, 1).mean({2, 3});
  return result;
}

at::Tensor Seam::scaled_view(const at::Tensor& images_nchw) const {
  const auto scaled = [&](std::int64_t side) {
    return static_cast<std::int64_t>(std::floor(static_cast<double>(side) * parameters_.view_scale));
  };
  const std::int64_t height = scaled(images_nchw.size(2)), width = scaled(images_nchw.size(3));
  const std::int64_t minimum = backbone_.backbone().minimum_size_px();
  if (std::min(height, width) < minimum) {
    throw UserError(
        "view_scale",
        "the second view is too small for the backbone: `" + std::to_string(height) + " x " + std::to_string(width) +
            "`",
        "larger images or a larger `view_scale`; at least `" + std::to_string(minimum) + "` pixels on each side");
  }
  return kernels::resize_maps(images_nchw, height, width, /*align_corners=*/true);
}

LossTerms Seam::training_step(const StepRequest& request) {
  const ViewBatch& batch = request.main();
  const at::Tensor &images = batch.images_nchw, &present = batch.present_nc;
  const at::Tensor scaled_images = scaled_view(images);
  const Maps large = maps_of(images, true, *request.run), small = maps_of(scaled_images, true, *request.run);

  const auto over_views = [&](auto loss) { return (loss(large) + loss(small)) / 2; };
  const auto at_small = [&](const at::Tensor& maps) {
    return comparable(maps, present, scaled_images.size(2), scaled_images.size(3));
  };
  const Maps large_scaled{at_small(large.plain), at_small(large.refined)};
  const Maps small_scaled{at_small(small.plain), at_small(small.refined)};
  const double hard = parameters_.hard_fraction;
  return {{"classification", over_views([&](const Maps& maps) { return classification_loss(maps.plain, present); })},
          {"minimum_pooling", over_views([&](const Maps& maps) {
             return minimum_pooling_loss(maps.refined, present, parameters_.minimum_fraction);
           })},
          {"equivariance", equivariance_loss(large_scaled.plain, small_scaled.plain)},
          {"cross_refinement", cross_refinement_loss(large_scaled.refined, small_scaled.plain, hard) +
                                   cross_refinement_loss(small_scaled.refined, large_scaled.plain, hard)}};
}

}  // namespace seedbed::seam
