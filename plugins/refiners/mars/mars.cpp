#include "mars.hpp"

#include <string>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "debiasing.hpp"
#include "region_centroids.hpp"
#include "seedbed/error.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::mars {
namespace {

constexpr std::string_view kStore = "centroids";

std::shared_ptr<Backbone> required(const std::shared_ptr<Backbone>& backbone) {
  if (backbone) return backbone;
  throw UserError("backbone", "`mars` compares features, and the study names no network that has any",
                  "`backbone` in the refiner's entry, or a `[backbone]`");
}

std::shared_ptr<Refiner> refiner_of(const ModelContext& context) {
  const auto slot = context.uses.find("similarity_refiner");
  return slot == context.uses.end() ? nullptr : slot->second.refiner;
}

std::int64_t label_of(const std::string& becomes) {
  if (becomes == "undecided") return kUndecidedLabel;
  return becomes == "ignore" ? kIgnoreLabel : kBackgroundLabel;
}

std::int64_t to_multiple(std::int64_t size, std::int64_t multiple) {
  return (size + multiple - 1) / multiple * multiple;
}

at::Tensor holds_class(const at::Tensor& labels) {
  return labels.ne(kBackgroundLabel).logical_and(labels.lt(kUndecidedLabel));
}

// The similarity [H,W] as a refiner sees it: planes 1 - m and m.
at::Tensor refined(const at::Tensor& similarity_hw, Refiner* refiner, const RefineRequest& request) {
  if (refiner == nullptr) return similarity_hw;
  RefineRequest asked;
  asked.images_nhwc = request.images_nhwc;
  asked.maps.scores_nphw = at::stack({1.0 - similarity_hw, similarity_hw}).unsqueeze(0);
  asked.maps.planes = {0, 1};
  asked.maps.value = ValueKind::probability;
  asked.maps.covered = {{0, 0, static_cast<double>(similarity_hw.size(0)), static_cast<double>(similarity_hw.size(1))}};
  asked.image_ids = request.image_ids;
  asked.run = request.run;
  const RefineResult result = refiner->refine(asked);
  if (!result.maps.scores_nphw.defined() || result.maps.planes != asked.maps.planes) {
    throw UserError("uses.similarity_refiner", "The refiner in the slot does not give the maps that it takes.",
                    "a refiner from maps with a background plane to such maps, as `dense_crf` or `pamr`");
  }
  const at::Tensor planes = result.maps.scores_nphw[0];
  return planes[1] / planes.sum(0).clamp_min(1e-12);
}

}  // namespace

Mars::Mars(const MarsParameters& parameters, const ModelContext& context)
    : parameters_(parameters),
      backbone_(register_module("backbone", required(context.backbone))),
      similarity_refiner_(refiner_of(context)),
      num_classes_(context.num_classes()) {
  const TapInfo tap = find_tap(*backbone_, parameters_.tap);
  backbone_->set_requires_grad(false);
  centroids_ = register_buffer("centroids", at::zeros({num_classes_, tap.channels}));
  num_used_ = register_buffer("num_used", at::zeros({num_classes_}, at::kLong));
}

void Mars::on_train_mode(bool /*on*/) { backbone_->train(false); }

// [D,h,w] of one image.
at::Tensor Mars::features(const at::Tensor& images_nchw, RunContext* run) const {
  const TapInfo tap = find_tap(*backbone_, parameters_.tap);
  ForwardRequest request;
  request.images_nchw = images_nchw;
  request.keep = {tap.name};
  request.run = run;
  const at::Tensor value = backbone_->forward(request).taps.at(tap.name);
  if (!tap.is_sequence) return value[0];
  return cells_of(value, backbone_->token_layout(images_nchw.size(2), images_nchw.size(3)))[0];
}

void Mars::collect(const StepRequest& request) {
  const ViewBatch& image = request.main();
  const at::Tensor labels_hw = image.companions.at("given")[0][0];
  const at::Tensor centroids =
      region_centroids(features(image.images_nchw, request.run), labels_hw,
                       {parameters_.foreground_clusters, parameters_.background_clusters, parameters_.unit_features});
  request.map_store(kStore).write(image.image_ids.front(), centroids);
}

// A step must have a graph, and here nothing is trained: the zero is its own leaf.
LossTerms Mars::training_step(const StepRequest& request) {
  at::Tensor zero = at::zeros({}, at::TensorOptions().device(request.run->device()));
  zero.set_requires_grad(true);
  return {{"collected", zero}};
}

void Mars::finish(EpochServices& services) {
  MapStore& store = services.map_store(kStore);
  std::vector<at::Tensor> rows;
  for (const std::string& id : store.image_ids()) rows.push_back(store.read(id));
  const at::Tensor all = rows.empty() ? at::zeros({0, 1 + centroids_.size(1)}) : at::cat(rows);
  const at::Tensor is_background = all.select(1, 0).eq(kBackgroundLabel);
  const auto of = [&](const at::Tensor& which) { return all.index_select(0, which.nonzero().flatten()); };
  const at::Tensor background = of(is_background), foreground = of(is_background.logical_not());
  if (background.size(0) == 0 || foreground.size(0) == 0) {
    throw UserError("mars",
                    background.size(0) == 0 ? "No training image's labels hold background."
                                            : "No training image's labels hold a class.",
                    "labels with both, or a smaller threshold before them");
  }
  const at::Tensor foreground_md = foreground.slice(1, 1), class_m = foreground.select(1, 0).to(at::kLong);
  const DebiasedCentroids debiased =
      debiased_centroids(foreground_md, class_m, background_distances(foreground_md, background.slice(1, 1)),
                         num_classes_, parameters_.alpha);
  centroids_.copy_(debiased.centroids_cd);
  num_used_.copy_(debiased.num_used_c);
}

// The image as the network sees it: at its own size up to a multiple, or squashed to a square.
at::Tensor Mars::seen(const at::Tensor& images_nhwc) const {
  const std::int64_t multiple = backbone_->size_multiple_px(), side = parameters_.side_px;
  const std::int64_t height = to_multiple(side > 0 ? side : images_nhwc.size(1), multiple);
  const std::int64_t width = to_multiple(side > 0 ? side : images_nhwc.size(2), multiple);
  const at::Tensor image_hwc =
      kernels::resize_image_as_pil(images_nhwc[0].cpu(), height, width, kernels::ResizeFilter::bicubic);
  return normalise_images(image_hwc.unsqueeze(0), backbone_->normalisation());
}

// Of the classes that the image holds and the fit has seen.
at::Tensor Mars::centroids_of_image(const RefineRequest& request) const {
  at::Tensor wanted_c = num_used_.gt(0).cpu();
  if (request.present_nc.defined()) {
    wanted_c = wanted_c.logical_and(request.present_nc[0].cpu());
  } else {
    const at::Tensor counts = at::bincount(request.labels.labels_nhw[0].flatten().cpu(), {}, num_classes_ + 1);
    wanted_c = wanted_c.logical_and(counts.slice(0, 1, num_classes_ + 1).gt(0));
  }
  return centroids_.index_select(0, wanted_c.nonzero().flatten().to(centroids_.device()));
}

// Pixels that look like none of the classes, [H,W] bool.
at::Tensor Mars::biased(const RefineRequest& request, const at::Tensor& centroids_pd) const {
  const at::Tensor features_dhw = features(seen(request.images_nhwc).to(request.run->device()), request.run);
  const at::Tensor similarity_1hw = similarity(features_dhw, centroids_pd).unsqueeze(0);
  const at::Tensor at_image = kernels::resize_maps(similarity_1hw, request.images_nhwc.size(1),
                                                   request.images_nhwc.size(2), /*align_corners=*/false)[0]
                                  .to(request.labels.labels_nhw.device());
  return refined(at_image, similarity_refiner_.get(), request).le(parameters_.cut);
}

RefineResult Mars::refine(const RefineRequest& request) {
  const c10::NoGradGuard no_grad;
  RefineResult result{.maps = {}, .labels = request.labels};
  const at::Tensor& before_nhw = request.labels.labels_nhw;
  const at::Tensor centroids_pd = centroids_of_image(request);
  const at::Tensor held_nhw = holds_class(before_nhw);
  if (centroids_pd.size(0) == 0 || !held_nhw.any().item<bool>()) return result;
  const at::Tensor removed_nhw = held_nhw.logical_and(biased(request, centroids_pd).unsqueeze(0));
  result.labels.labels_nhw = before_nhw.masked_fill(removed_nhw, label_of(parameters_.becomes));
  const at::Tensor& confidence_nhw = request.labels.confidence_nhw;
  if (confidence_nhw.defined()) result.labels.confidence_nhw = confidence_nhw.masked_fill(removed_nhw, 0);
  return result;
}

}  // namespace seedbed::mars
