#include "cam.hpp"

#include <numeric>

#include <ATen/ATen.h>

#include "map_pooling.hpp"
#include "seedbed/error.hpp"

namespace seedbed::cam {
namespace {

// A channel that never changed over the training role is left unscaled.
constexpr double kLeastDeviation = 1e-6;

std::vector<std::int64_t> foreground_planes(std::int64_t num_classes) {
  std::vector<std::int64_t> planes(static_cast<std::size_t>(num_classes));
  std::iota(planes.begin(), planes.end(), 1);
  return planes;
}

// The part of a batch that shows image `i`, without the padding up to its neighbours' size: [1,3,H,W].
at::Tensor image_of(const ViewBatch& batch, std::int64_t i) {
  at::Tensor image = batch.images_nchw.narrow(0, i, 1);
  if (!batch.valid.boxes_n4.defined()) return image;
  const at::Tensor box = batch.valid.boxes_n4[i].cpu();
  const auto side = [&](std::int64_t k) { return box[k].item<std::int64_t>(); };
  return image.slice(2, side(0), side(2)).slice(3, side(1), side(3));
}

}  // namespace

Cam::Cam(const CamParameters& parameters, const ModelContext& context)
    : parameters_(parameters),
      backbone_(register_module("backbone", context.backbone),
                {.freeze_backbone = parameters.freeze_backbone,
                 .batch_statistics = parameters.batch_norm == "batch",
                 .new_learning_rate_factor = parameters.new_learning_rate_factor,
                 .bias_learning_rate_factor = parameters.bias_learning_rate_factor,
                 .bias_weight_decay_factor = parameters.bias_weight_decay_factor}) {
  const std::int64_t channels = find_tap(backbone_.backbone(), parameters_.tap).channels;
  if (parameters_.cache_features && (!backbone_.is_frozen() || parameters_.pooling != "gap")) {
    throw UserError("cache_features", "only averaged features of a frozen backbone can be cached",
                    "freeze_backbone = \"all\" and pooling = \"gap\", or cache_features = false");
  }
  const Conv2dOptions options{.in_channels = channels, .out_channels = context.num_classes(), .bias = parameters_.bias};
  classifier_ = register_module("classifier", std::make_shared<Conv2d>(options, context.run->generator()));
  dropout_ = register_module("dropout", std::make_shared<Dropout>(parameters_.dropout, /*whole_channels=*/true));
  if (parameters_.standardise_features) {
    feature_count_ = register_buffer("feature_count", at::zeros({}, at::kDouble));
    feature_mean_d_ = register_buffer("feature_mean", at::zeros({channels}, at::kDouble));
    feature_spread_d_ = register_buffer("feature_spread", at::zeros({channels}, at::kDouble));
  }
}

void Cam::on_train_mode(bool /*on*/) { backbone_.keep_frozen_part_evaluating(); }

at::Tensor Cam::features(const at::Tensor& images_nchw, RunContext* run) const {
  return backbone_.taps(images_nchw, {parameters_.tap}, run).at(parameters_.tap);
}

at::Tensor Cam::standardised(const at::Tensor& features) const {
  if (!parameters_.standardise_features) return features;
  const at::Tensor deviation = (feature_spread_d_ / feature_count_.clamp_min(1)).sqrt();
  const at::Tensor scale = at::where(deviation > kLeastDeviation, deviation.reciprocal(), 1.0);
  std::vector<std::int64_t> shape(static_cast<std::size_t>(features.dim()), 1);
  shape[1] = -1;
  const auto per_channel = [&](const at::Tensor& values_d) { return values_d.to(at::kFloat).view(shape); };
  return (features - per_channel(feature_mean_d_)) * per_channel(scale);
}

at::Tensor Cam::class_maps(const at::Tensor& features_ndhw, const at::Tensor& bias) const {
  return at::conv2d(features_ndhw, classifier_->weight, bias);
}

at::Tensor Cam::logits_from_average(const at::Tensor& features_nd, RunContext& run) const {
  const at::Tensor inputs = dropout_->forward(standardised(features_nd), run.generator());
  return at::linear(inputs, classifier_->weight.flatten(1), classifier_->bias);
}

at::Tensor Cam::logits(const at::Tensor& features_ndhw, RunContext& run) const {
  // Averaging commutes with the classifier and with channel dropout, and comes cheaper first.
  if (parameters_.pooling == "gap") return logits_from_average(features_ndhw.mean({2, 3}), run);
  const at::Tensor inputs = dropout_->forward(standardised(features_ndhw), run.generator());
  const at::Tensor pooled = pool_maps(class_maps(inputs, {}), parameters_);
  return parameters_.bias ? pooled + classifier_->bias : pooled;
}

SeedResult Cam::generate(const SeedRequest& request) {
  const at::Tensor features_ndhw = features(request.images_nchw, request.run);
  const at::Tensor bias = parameters_.map_bias ? classifier_->bias : at::Tensor();
  SeedResult result;
  result.maps.scores_nphw = class_maps(standardised(features_ndhw), bias).contiguous();
  result.maps.planes = foreground_planes(classifier_->options.out_channels);
  for (const View& view : request.views) result.maps.covered.push_back(view.covered);
  if (request.logits_wanted) result.logits_nc = logits(features_ndhw, *request.run);
  return result;
}

// One image at a time: its features then depend neither on its neighbours' size nor on the order of the batch, so a
// resumed fit that fills its cache anew gets the same bits.
std::vector<at::Tensor> Cam::average_features(const ViewBatch& batch, RunContext* run) {
  std::vector<at::Tensor> averages;
  for (std::int64_t i = 0; i < batch.images_nchw.size(0); ++i) {
    const at::Tensor image = image_of(batch, i);
    // The collecting pass may see an image at another size than training does.
    const std::string key = batch.image_ids.at(static_cast<std::size_t>(i)) + " " + std::to_string(image.size(2)) +
                            "x" + std::to_string(image.size(3));
    const auto known = cached_.find(key);
    if (known != cached_.end()) {
      averages.push_back(known->second);
      continue;
    }
    run->check_cancelled();
    averages.push_back(features(image, run).mean({2, 3})[0]);
    if (parameters_.cache_features) cached_.emplace(key, averages.back());
  }
  return averages;
}

void Cam::collect(const StepRequest& request) {
  if (!parameters_.standardise_features) return;
  if (!std::exchange(collecting_, true)) {
    for (at::Tensor* moment : {&feature_count_, &feature_mean_d_, &feature_spread_d_}) moment->zero_();
  }
  for (const at::Tensor& average : average_features(request.main(), request.run)) {
    const at::Tensor from_mean = average - feature_mean_d_;
    feature_count_.add_(1);
    feature_mean_d_.add_(from_mean / feature_count_);
    feature_spread_d_.add_(from_mean * (average - feature_mean_d_));
  }
}

LossTerms Cam::training_step(const StepRequest& request) {
  const ViewBatch& batch = request.main();
  const at::Tensor logits_nc = parameters_.cache_features
                                   ? logits_from_average(at::stack(average_features(batch, request.run)), *request.run)
                                   : logits(features(batch.images_nchw, request.run), *request.run);
  return {{"classification",
           at::binary_cross_entropy_with_logits(logits_nc, batch.present_nc.to(logits_nc.scalar_type()))}};
}

}  // namespace seedbed::cam
