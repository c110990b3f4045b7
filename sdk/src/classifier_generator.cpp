#include "seedbed/classifier_generator.hpp"

#include <numeric>
#include <string>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"

namespace seedbed {
namespace {

// A channel that never changed over the training role is left unscaled.
constexpr double kLeastDeviation = 1e-6;

// The part of a batch that shows image `i`, without the padding up to its neighbours' size: [1,3,H,W].
at::Tensor image_of(const ViewBatch& batch, std::int64_t i) {
  at::Tensor image = batch.images_nchw.narrow(0, i, 1);
  if (!batch.valid.boxes_n4.defined()) return image;
  const at::Tensor box = batch.valid.boxes_n4[i].cpu();
  const auto side = [&](std::int64_t k) { return box[k].item<std::int64_t>(); };
  return image.slice(2, side(0), side(2)).slice(3, side(1), side(3));
}

bool classifies_token(const ClassifierOptions& options) { return options.pooling.rule == "class_token"; }

}  // namespace

std::vector<std::int64_t> foreground_planes(std::int64_t num_classes) {
  std::vector<std::int64_t> planes(static_cast<std::size_t>(num_classes));
  std::iota(planes.begin(), planes.end(), 1);
  return planes;
}

ClassifierGenerator::~ClassifierGenerator() = default;

ClassifierGenerator::ClassifierGenerator(ClassifierOptions options, const ModelContext& context)
    : options_(std::move(options)),
      backbone_(register_module("backbone", context.backbone), options_.fine_tuning),
      tap_(find_tap(backbone_.backbone(), options_.tap)),
      num_classes_(context.num_classes()) {
  if (options_.cache_features && (!backbone_.is_frozen() || !pools_average())) {
    throw UserError("cache_features", "only averaged features of a frozen backbone can be cached",
                    "freeze_backbone = \"all\" and pooling = \"gap\", or cache_features = false");
  }
  if (classifies_token(options_) && !tap_.is_sequence) {
    throw UserError("pooling", "this tap holds no tokens: `" + tap_.name + "`",
                    "a tap of a transformer, or another pooling");
  }
  options_.reference ? check_reference_classes() : add_classifier(context);
}

void ClassifierGenerator::add_classifier(const ModelContext& context) {
  const Conv2dOptions shape{.in_channels = tap_.channels, .out_channels = num_classes_, .bias = options_.bias};
  classifier_ = register_module("classifier", std::make_shared<Conv2d>(shape, context.run->generator()));
  dropout_ = register_module("dropout", std::make_shared<Dropout>(options_.dropout, /*whole_channels=*/true));
  if (options_.standardise_features) {
    feature_count_ = register_buffer("feature_count", at::zeros({}, at::kDouble));
    feature_mean_d_ = register_buffer("feature_mean", at::zeros({tap_.channels}, at::kDouble));
    feature_spread_d_ = register_buffer("feature_spread", at::zeros({tap_.channels}, at::kDouble));
  }
}

// A pass over zeros tells whether the backbone has a classifier, and how many outputs.
void ClassifierGenerator::check_reference_classes() {
  if (tap_.name != backbone()->taps().back().name) {
    throw UserError("classifier", "the reference classifier reads no such tap: `" + tap_.name + "`", "`final`");
  }
  constexpr std::int64_t kSide = 8;
  std::vector<std::int64_t> shape{1, tap_.channels, kSide, kSide};
  if (tap_.is_sequence) shape = {1, kSide * kSide, tap_.channels};
  const c10::NoGradGuard no_grad;
  const auto parameters = backbone()->named_parameters();
  const at::Tensor probe =
      parameters.empty() ? at::zeros(shape) : at::zeros(shape, parameters.front().second.options());
  const std::int64_t num_outputs = backbone()->reference_logits(probe).size(1);
  std::vector<std::int64_t>& outputs = options_.reference_classes;
  if (outputs.empty() && num_classes_ == num_outputs) return;
  if (static_cast<std::int64_t>(outputs.size()) != num_classes_) {
    throw UserError("reference_classes",
                    "the reference classifier has `" + std::to_string(num_outputs) + "` outputs, the data set `" +
                        std::to_string(num_classes_) + "` classes",
                    "the number of an output, counted from 0, for each class");
  }
  for (const std::int64_t output : outputs) {
    if (output >= 0 && output < num_outputs) continue;
    throw UserError("reference_classes",
                    "the reference classifier has no such output: `" + std::to_string(output) + "`",
                    "0 .. " + std::to_string(num_outputs - 1));
  }
}

std::vector<ParameterGroup> ClassifierGenerator::parameter_groups() {
  return backbone_.parameter_groups({classifier_.get()});
}

void ClassifierGenerator::on_train_mode(bool /*on*/) { backbone_.keep_frozen_part_evaluating(); }

at::Tensor ClassifierGenerator::tap_of(const at::Tensor& images_nchw, RunContext* run) const {
  return backbone_.taps(images_nchw, {options_.tap}, run).at(options_.tap);
}

at::Tensor ClassifierGenerator::cells_of(const TapInfo& tap, const at::Tensor& value, std::int64_t height_px,
                                         std::int64_t width_px) const {
  if (!tap.is_sequence) return value;
  return seedbed::cells_of(value, backbone_.backbone().token_layout(height_px, width_px));
}

at::Tensor ClassifierGenerator::standardised(const at::Tensor& features) const {
  if (!options_.standardise_features) return features;
  const at::Tensor deviation = (feature_spread_d_ / feature_count_.clamp_min(1)).sqrt();
  const at::Tensor scale = at::where(deviation > kLeastDeviation, deviation.reciprocal(), 1.0);
  std::vector<std::int64_t> shape(static_cast<std::size_t>(features.dim()), 1);
  shape[1] = -1;
  const auto per_channel = [&](const at::Tensor& values_d) { return values_d.to(at::kFloat).view(shape); };
  return (features - per_channel(feature_mean_d_)) * per_channel(scale);
}

at::Tensor ClassifierGenerator::class_maps(const at::Tensor& cells_ndhw, bool with_bias) const {
  return at::conv2d(standardised(cells_ndhw), classifier_->weight, with_bias ? classifier_->bias : at::Tensor());
}

at::Tensor ClassifierGenerator::logits_of_feature(const at::Tensor& features_nd, RunContext& run) const {
  const at::Tensor inputs = dropout_->forward(standardised(features_nd), run.generator());
  return at::linear(inputs, classifier_->weight.flatten(1), classifier_->bias);
}

at::Tensor ClassifierGenerator::logits_of(const at::Tensor& tap_value, std::int64_t height_px, std::int64_t width_px,
                                          RunContext& run) const {
  if (options_.reference) return reference_logits_of(tap_value);
  if (classifies_token(options_)) return logits_of_feature(tap_value.select(1, 0), run);
  const at::Tensor cells_ndhw = cells_of(tap_, tap_value, height_px, width_px);
  // Averaging commutes with the classifier and with channel dropout, and comes cheaper first.
  if (pools_average()) return logits_of_feature(cells_ndhw.mean({2, 3}), run);
  const at::Tensor inputs = dropout_->forward(standardised(cells_ndhw), run.generator());
  const at::Tensor pooled = kernels::pool_maps(at::conv2d(inputs, classifier_->weight), options_.pooling);
  return options_.bias ? pooled + classifier_->bias : pooled;
}

at::Tensor ClassifierGenerator::reference_logits_of(const at::Tensor& tap_value) const {
  const at::Tensor logits = backbone_.backbone().reference_logits(tap_value);
  if (options_.reference_classes.empty()) return logits;
  return logits.index_select(1, at::tensor(options_.reference_classes, at::kLong).to(logits.device()));
}

// What the classifier reads of each image: the mean of the cells, or the class token. [N,D]
at::Tensor ClassifierGenerator::average_of(const at::Tensor& images_nchw, RunContext* run) const {
  const at::Tensor value = tap_of(images_nchw, run);
  if (classifies_token(options_)) return value.select(1, 0);
  return cells_of(tap_, value, images_nchw.size(2), images_nchw.size(3)).mean({2, 3});
}

// One image at a time: its features then depend neither on its neighbours' size nor on the order of the batch, so a
// resumed fit that fills its cache anew gets the same bits.
std::vector<at::Tensor> ClassifierGenerator::average_features(const ViewBatch& batch, RunContext* run) {
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
    averages.push_back(average_of(image, run)[0]);
    if (options_.cache_features) cached_.emplace(key, averages.back());
  }
  return averages;
}

void ClassifierGenerator::collect(const StepRequest& request) {
  if (!options_.standardise_features) return;
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

LossTerms ClassifierGenerator::training_step(const StepRequest& request) {
  const ViewBatch& batch = request.main();
  const at::Tensor logits_nc = options_.cache_features
                                   ? logits_of_feature(at::stack(average_features(batch, request.run)), *request.run)
                                   : logits_of(tap_of(batch.images_nchw, request.run), batch.images_nchw.size(2),
                                               batch.images_nchw.size(3), *request.run);
  return {{"classification",
           at::binary_cross_entropy_with_logits(logits_nc, batch.present_nc.to(logits_nc.scalar_type()))}};
}

}  // namespace seedbed
