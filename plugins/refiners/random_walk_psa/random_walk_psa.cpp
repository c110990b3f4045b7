#include "random_walk_psa.hpp"

#include <algorithm>
#include <numeric>
#include <string>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "cell_labels.hpp"
#include "seedbed/error.hpp"
#include "seedbed/fine_tuning_parameters.hpp"
#include "seedbed/kernels/random_walk.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::random_walk_psa {
namespace {

std::shared_ptr<Backbone> required(const std::shared_ptr<Backbone>& backbone) {
  if (backbone) return backbone;
  throw UserError("backbone", "`random_walk_psa` trains a network, and the study names none",
                  "`backbone` in the refiner's entry, or a `[backbone]`");
}

std::vector<std::int64_t> channels_of(const Backbone& backbone, const std::vector<std::string>& names,
                                      const std::vector<std::int64_t>& widths) {
  if (names.size() != widths.size()) {
    throw UserError("widths",
                    "each tap has a width: `" + std::to_string(names.size()) + "` taps, `" +
                        std::to_string(widths.size()) + "` widths",
                    "as many `widths` as `taps`");
  }
  std::vector<std::int64_t> channels;
  for (const std::string& name : names) {
    const TapInfo tap = find_tap(backbone, name);
    if (tap.is_sequence) {
      throw UserError("taps", "cells of maps are compared, and this tap is a sequence: `" + name + "`",
                      "taps that are maps");
    }
    channels.push_back(tap.channels);
  }
  return channels;
}

at::Tensor filled_up(const at::Tensor& maps, std::int64_t height, std::int64_t width) {
  return at::constant_pad_nd(maps, {0, width - maps.size(-1), 0, height - maps.size(-2)}, 0);
}

}  // namespace

at::Tensor walk_of_maps(const at::Tensor& maps_phw, const at::Tensor& affinities_ohw, std::int64_t radius,
                        std::int64_t height, std::int64_t width, const WalkSettings& settings) {
  const c10::NoGradGuard no_grad;
  const at::Tensor cells = at::adaptive_avg_pool2d(filled_up(maps_phw, height, width).unsqueeze(0),
                                                   {affinities_ohw.size(1), affinities_ohw.size(2)})[0];
  return kernels::random_walk(cells.contiguous(), affinities_ohw, kernels::half_disc(radius), settings.beta,
                              settings.log_steps);
}

RandomWalkPsa::RandomWalkPsa(const RandomWalkPsaParameters& parameters, const ModelContext& context,
                             CellTargets targets)
    : parameters_(parameters),
      targets_(targets),
      num_labels_(context.num_classes() + 1),
      backbone_(register_module("backbone", required(context.backbone)), fine_tuning_options(parameters)),
      affinity_(register_module(
          "affinity",
          std::make_shared<AffinityHead>(channels_of(backbone_.backbone(), parameters_.taps, parameters_.widths),
                                         parameters_.widths, parameters_.norm == "group", context.run->generator()))) {}

void RandomWalkPsa::on_train_mode(bool /*on*/) { backbone_.keep_frozen_part_evaluating(); }

at::Tensor RandomWalkPsa::features_of(const at::Tensor& images_nchw, RunContext* run) const {
  const NamedTensors taps = backbone_.taps(images_nchw, parameters_.taps, run);
  std::vector<at::Tensor> features;
  for (const std::string& name : parameters_.taps) features.push_back(taps.at(name));
  return affinity_->forward(features);
}

RefineResult RandomWalkPsa::refine(const RefineRequest& request) {
  const Backbone& network = backbone_.backbone();
  const std::int64_t height = request.images_nhwc.size(1), width = request.images_nhwc.size(2);
  const std::int64_t multiple = std::lcm(parameters_.pad_multiple_px, network.size_multiple_px());
  const auto side = [&](std::int64_t pixels) {
    return (std::max(pixels, network.minimum_size_px()) + multiple - 1) / multiple * multiple;
  };
  const at::Tensor images =
      filled_up(normalise_images(request.images_nhwc, network.normalisation()).to(request.run->device()), side(height),
                side(width));
  const at::Tensor affinities =
      affinities_between(features_of(images, request.run)[0], parameters_.radius, parameters_.pad_edges).cpu();
  request.run->check_cancelled();
  at::Tensor maps = request.maps.scores_nphw.cpu();
  if (maps.size(2) != height || maps.size(3) != width) maps = kernels::resize_maps(maps, height, width, false);
  const at::Tensor spread = walk_of_maps(maps[0], affinities, parameters_.radius, side(height), side(width),
                                         {.beta = parameters_.beta, .log_steps = parameters_.log_steps});
  RefineResult result{.maps = request.maps, .labels = {}};
  result.maps.scores_nphw = kernels::resize_maps(spread.unsqueeze(0), side(height), side(width), false)
                                .narrow(2, 0, height)
                                .narrow(3, 0, width)
                                .contiguous()
                                .to(request.maps.scores_nphw.device());
  result.maps.value = ValueKind::evidence;  // cells at the filled-up margin hold less than their share
  result.maps.covered = {{0, 0, static_cast<double>(height), static_cast<double>(width)}};
  return result;
}

at::Tensor RandomWalkPsa::averages_of(const ViewBatch& batch, const std::string& companion,
                                      const at::Tensor& features) const {
  const at::Tensor& scores = batch.companions.at(companion);
  if (scores.size(1) == num_labels_) return averaged_over_cells(scores, features.size(2), features.size(3));
  throw UserError("companions." + companion,
                  "labels of cells are made of maps with a background plane, and these have `" +
                      std::to_string(scores.size(1)) + "` planes for `" + std::to_string(num_labels_) + "` labels",
                  "`background = { rule = \"power\", alpha = 4 }`, or a refiner that gives the plane");
}

at::Tensor RandomWalkPsa::cell_labels(const ViewBatch& batch, const at::Tensor& features) const {
  if (targets_ == CellTargets::score_maps)
    return labels_of_averages(averages_of(batch, "low", features), averages_of(batch, "high", features));
  if (batch.target_nhw.defined()) return kernels::labels_at_cells(batch.target_nhw, features.size(2), features.size(3));
  throw UserError("labels", "`random_walk_psa` is trained on labels, and its entry names none",
                  "`labels = { rule = \"two_powers\", alpha_low = 4, alpha_high = 32 }`");
}

LossTerms RandomWalkPsa::training_step(const StepRequest& request) {
  const ViewBatch& batch = request.main();
  const at::Tensor features = features_of(batch.images_nchw, request.run);
  const kernels::SourceCells sources =
      kernels::sources_within(features.size(2), features.size(3), parameters_.training_radius);
  if (sources.rows == 0) {
    throw UserError("training_radius",
                    "the training images are too small for the radius: `" + std::to_string(features.size(2)) + " x " +
                        std::to_string(features.size(3)) + "` cells",
                    "larger crops, or a smaller `training_radius`");
  }
  const std::vector<kernels::CellOffset> offsets = kernels::half_disc(parameters_.training_radius);
  const at::Tensor labels = cell_labels(batch, features).to(features.device());
  const kernels::AffinityLosses losses = kernels::affinity_losses(
      affinities_at_sources(features, offsets, sources), kernels::pair_targets(labels, offsets, sources, num_labels_));
  return {{"background", losses.background / 4},
          {"foreground", losses.foreground / 4},
          {"different", losses.different / 2}};
}

}  // namespace seedbed::random_walk_psa
