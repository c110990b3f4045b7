#include "random_walk_irn.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "irn_losses.hpp"
#include "seedbed/error.hpp"
#include "seedbed/fine_tuning_parameters.hpp"
#include "seedbed/kernels/random_walk.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::random_walk_irn {
namespace {

std::shared_ptr<Backbone> required(const std::shared_ptr<Backbone>& backbone) {
  if (backbone) return backbone;
  throw UserError("backbone", "`random_walk_irn` trains a network, and the study names none",
                  "`backbone` in the refiner's entry, or a `[backbone]`");
}

std::vector<TapInfo> map_taps(const Backbone& backbone, const std::vector<std::string>& names) {
  std::vector<TapInfo> taps;
  for (const std::string& name : names) {
    taps.push_back(find_tap(backbone, name));
    if (!taps.back().is_sequence) continue;
    throw UserError("taps", "boundaries are drawn on maps, and this tap is a sequence: `" + name + "`",
                    "taps that are maps");
  }
  return taps;
}

std::int64_t quotient_rounded_up(std::int64_t value, std::int64_t divisor) { return (value + divisor - 1) / divisor; }

}  // namespace

at::Tensor spread_between_boundaries(const at::Tensor& maps_phw, const at::Tensor& boundary_hw, std::int64_t radius,
                                     double beta, std::int64_t log_steps) {
  const c10::NoGradGuard no_grad;
  const std::vector<BoundaryPath> paths = boundary_paths(radius);
  return kernels::random_walk(maps_phw * (1 - boundary_hw), affinities_between(boundary_hw, paths), offsets_of(paths),
                              beta, log_steps);
}

at::Tensor at_image(const at::Tensor& maps_phw, std::int64_t factor_y, std::int64_t factor_x, std::int64_t height,
                    std::int64_t width, bool by_plane) {
  const at::Tensor large = kernels::resize_maps(maps_phw.unsqueeze(0), maps_phw.size(1) * factor_y,
                                                maps_phw.size(2) * factor_x, /*align_corners=*/false)[0];
  const at::Tensor cut = large.narrow(1, 0, height).narrow(2, 0, width);
  const at::Tensor highest = by_plane ? cut.amax({1, 2}, /*keepdim=*/true) : cut.max();
  return cut / highest.masked_fill(highest.le(0), 1);
}

RandomWalkIrn::RandomWalkIrn(const RandomWalkIrnParameters& parameters, const ModelContext& context)
    : parameters_(parameters),
      num_labels_(context.num_classes() + 1),
      backbone_(register_module("backbone", required(context.backbone)), fine_tuning_options(parameters)) {
  if (parameters_.labels_below > 0) num_labels_ = std::min(num_labels_, parameters_.labels_below);
  const std::vector<TapInfo> taps = map_taps(backbone_.backbone(), parameters_.taps);
  const at::Generator generator = context.run->generator();
  boundary_ =
      register_module("boundary", std::make_shared<BoundaryBranch>(taps, parameters_.boundary_width, generator));
  if (!parameters_.displacement) return;
  displacement_ = register_module("displacement", std::make_shared<DisplacementBranch>(
                                                      taps, parameters_.displacement_widths, parameters_.coarse_taps,
                                                      parameters_.hidden_width, generator));
}

void RandomWalkIrn::on_train_mode(bool /*on*/) { backbone_.keep_frozen_part_evaluating(); }

std::vector<ParameterGroup> RandomWalkIrn::parameter_groups() {
  std::vector<ParameterGroup> groups = backbone_.parameter_groups({boundary_.get()});
  if (!displacement_) return groups;
  for (ParameterGroup& group : grouped_parameters(*displacement_, "displacement")) {
    group.learning_rate_factor = parameters_.displacement_learning_rate_factor;
    groups.push_back(std::move(group));
  }
  return groups;
}

std::vector<at::Tensor> RandomWalkIrn::features_of(const at::Tensor& images_nchw, RunContext* run) const {
  const NamedTensors taps = backbone_.taps(images_nchw, parameters_.taps, run);
  std::vector<at::Tensor> features;
  for (const std::string& name : parameters_.taps) features.push_back(taps.at(name));
  return features;
}

// Image and mirror image, each filled up on the right and below with the mean colour, as the release has it.
RandomWalkIrn::Boundary RandomWalkIrn::boundary_of(const at::Tensor& image_nhwc, RunContext* run) const {
  const Backbone& network = backbone_.backbone();
  const std::int64_t height = image_nhwc.size(1), width = image_nhwc.size(2);
  const auto side = [&](std::int64_t pixels) {
    const std::int64_t multiple = network.size_multiple_px();
    return multiple *
           quotient_rounded_up(std::max({pixels, parameters_.pad_to_px, network.minimum_size_px()}), multiple);
  };
  at::Tensor images = normalise_images(image_nhwc, network.normalisation()).to(run->device());
  if (parameters_.flip) images = at::cat({images, images.flip(3)});
  images = at::constant_pad_nd(images, {0, side(width) - width, 0, side(height) - height}, 0);
  const at::Tensor logits = boundary_->forward(features_of(images, run)).squeeze(1);
  const std::int64_t pixels_y = quotient_rounded_up(images.size(2), logits.size(1));
  const std::int64_t pixels_x = quotient_rounded_up(images.size(3), logits.size(2));
  const at::Tensor seen =
      logits.narrow(1, 0, quotient_rounded_up(height, pixels_y)).narrow(2, 0, quotient_rounded_up(width, pixels_x));
  const at::Tensor joined = parameters_.flip ? (seen[0] + seen[1].flip(1)) / 2 : seen[0];
  return {joined.sigmoid().cpu(), pixels_y, pixels_x};
}

RefineResult RandomWalkIrn::refine(const RefineRequest& request) {
  const std::int64_t height = request.images_nhwc.size(1), width = request.images_nhwc.size(2);
  const auto [boundary, pixels_y, pixels_x] = boundary_of(request.images_nhwc, request.run);
  request.run->check_cancelled();
  at::Tensor maps = kernels::resize_maps(request.maps.scores_nphw.cpu(), boundary.size(0), boundary.size(1),
                                         /*align_corners=*/false)[0];
  if (parameters_.map_power != 1.0) maps = maps.clamp_min(0).pow(parameters_.map_power);
  const at::Tensor spread = spread_between_boundaries(maps.contiguous(), boundary, parameters_.radius, parameters_.beta,
                                                      parameters_.log_steps);
  RefineResult result{.maps = request.maps, .labels = {}};
  result.maps.scores_nphw = at_image(spread, pixels_y, pixels_x, height, width, parameters_.normalise == "class_max")
                                .unsqueeze(0)
                                .to(request.maps.scores_nphw.device());
  result.maps.value = ValueKind::evidence;  // over a maximum, and of no sum
  result.maps.covered = {{0, 0, static_cast<double>(height), static_cast<double>(width)}};
  return result;
}

LossTerms RandomWalkIrn::training_step(const StepRequest& request) {
  const ViewBatch& batch = request.main();
  if (!batch.target_nhw.defined()) {
    throw UserError("labels", "`random_walk_irn` is trained on labels, and its entry names none",
                    "`labels = { rule = \"two_thresholds\", high = 0.3, low = 0.05 }`");
  }
  const std::vector<at::Tensor> features = features_of(batch.images_nchw, request.run);
  const at::Tensor boundary = boundary_->forward(features).squeeze(1).sigmoid();
  const kernels::SourceCells sources =
      kernels::sources_within(boundary.size(1), boundary.size(2), parameters_.training_radius);
  if (sources.rows == 0) {
    throw UserError("training_radius",
                    "the training images are too small for the radius: `" + std::to_string(boundary.size(1)) + " x " +
                        std::to_string(boundary.size(2)) + "` cells",
                    "larger crops, or a smaller `training_radius`");
  }
  const std::vector<BoundaryPath> paths = boundary_paths(parameters_.training_radius);
  const at::Tensor labels = kernels::labels_at_cells(batch.target_nhw, boundary.size(1), boundary.size(2));
  const kernels::PairTargets targets =
      kernels::pair_targets(labels.to(boundary.device()), offsets_of(paths), sources, num_labels_);
  const at::Tensor displacement = displacement_ ? displacement_->forward(features) : at::Tensor();
  const IrnLosses losses = irn_losses(boundary, displacement, paths, sources, targets);
  LossTerms terms{{"positive", losses.positive / 2}, {"negative", losses.negative / 2}};
  if (displacement_) {
    terms.emplace_back("displacement", (losses.displacement_foreground + losses.displacement_background) / 2);
  }
  return terms;
}

}  // namespace seedbed::random_walk_irn
