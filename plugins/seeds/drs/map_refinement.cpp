#include "map_refinement.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"
#include "seedbed/fine_tuning_parameters.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::drs {
namespace {

constexpr double kLevels = 255.0;  // of the release's stored maps

std::shared_ptr<Backbone> required(const std::shared_ptr<Backbone>& backbone) {
  if (backbone) return backbone;
  throw UserError("backbone", "`drs_map_refinement` trains a network, and the study names none",
                  "`backbone` in the refiner's entry, or a `[backbone]`");
}

// Images [N,H,W,3] uint8, squashed to a square, as the network wants them.
at::Tensor squashed(const at::Tensor& images_nhwc, std::int64_t side, const Normalisation& normalisation) {
  std::vector<at::Tensor> images;
  for (const at::Tensor& image_hwc : images_nhwc.cpu().unbind(0)) {
    images.push_back(kernels::resize_image_as_pil(image_hwc, side, side, kernels::ResizeFilter::bicubic));
  }
  return normalise_images(at::stack(images), normalisation);
}

}  // namespace

at::Tensor refinement_target(const at::Tensor& maps_nchw, bool quantise, bool keep_highest) {
  const c10::NoGradGuard no_grad;
  const at::Tensor target = quantise ? (maps_nchw * kLevels).floor() / kLevels : maps_nchw;
  if (!keep_highest) return target;
  return target.masked_fill(target.lt(target.amax(1, /*keepdim=*/true)), 0);
}

MapRefinement::MapRefinement(const DrsMapRefinementParameters& parameters, const ModelContext& context)
    : parameters_(parameters),
      backbone_(register_module("backbone", required(context.backbone)), fine_tuning_options(parameters)) {
  const TapInfo tap = find_tap(backbone_.backbone(), parameters_.tap);
  if (tap.is_sequence) {
    throw UserError("tap", "the extra layers are convolutions, and this tap is a sequence: `" + tap.name + "`",
                    "a tap that is a map");
  }
  layers_ = register_module("layers",
                            std::make_shared<ExtraLayers>(ExtraLayerOptions{.in_channels = tap.channels,
                                                                            .layers = parameters_.extra_layers,
                                                                            .width = parameters_.extra_width,
                                                                            .num_classes = context.num_classes(),
                                                                            .deviation = parameters_.extra_deviation},
                                                          context.run->generator()));
}

void MapRefinement::on_train_mode(bool /*on*/) { backbone_.keep_frozen_part_evaluating(); }

at::Tensor MapRefinement::class_maps(const at::Tensor& images_nchw, RunContext* run) {
  const at::Tensor features = backbone_.taps(images_nchw, {parameters_.tap}, run).at(parameters_.tap);
  return layers_->forward(features, [](const at::Tensor& value, std::size_t) { return at::relu(value); });
}

RefineResult MapRefinement::refine(const RefineRequest& request) {
  const std::int64_t height = request.images_nhwc.size(1), width = request.images_nhwc.size(2);
  at::Tensor highest;  // over the sizes, and never below 0: released with y applied and no limit at 1
  for (const std::int64_t side : parameters_.sides_px) {
    request.run->check_cancelled();
    const at::Tensor images = squashed(request.images_nhwc, side, backbone_.backbone().normalisation());
    const at::Tensor maps = class_maps(images.to(request.run->device()), request.run);
    const at::Tensor at_image = kernels::resize_maps(maps, height, width, /*align_corners=*/true).relu();
    highest = highest.defined() ? at::maximum(highest, at_image) : at_image;
  }
  if (request.present_nc.defined()) {
    const at::Tensor present = request.present_nc.to(highest.options());
    highest = highest * present.view({present.size(0), present.size(1), 1, 1});
  }
  RefineResult result{.maps = request.maps, .labels = {}};
  const at::Tensor channels = at::tensor(request.maps.planes, at::kLong) - 1;
  result.maps.scores_nphw =
      highest.index_select(1, channels.to(highest.device())).to(request.maps.scores_nphw.device());
  result.maps.value = ValueKind::evidence;
  const Area whole{0, 0, static_cast<double>(height), static_cast<double>(width)};
  result.maps.covered.assign(static_cast<std::size_t>(request.images_nhwc.size(0)), whole);
  return result;
}

LossTerms MapRefinement::training_step(const StepRequest& request) {
  const ViewBatch& batch = request.main();
  const at::Tensor& maps = batch.companions.at("maps");
  const at::Tensor predicted = kernels::resize_maps(class_maps(batch.images_nchw, request.run), maps.size(2),
                                                    maps.size(3), /*align_corners=*/true);
  const at::Tensor target = refinement_target(maps, parameters_.quantise, parameters_.keep_highest);
  return {{"regression", at::mse_loss(predicted, target.to(predicted.device()))}};
}

}  // namespace seedbed::drs
