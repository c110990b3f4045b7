#include "stages/predictor.hpp"

#include <numeric>
#include <utility>

#include <ATen/ATen.h>

#include "fit/precision.hpp"
#include "fit/random_streams.hpp"
#include "seedbed/checks.hpp"
#include "seedbed/error.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::stages {
namespace {

std::set<dataset::Content> with_images(std::set<dataset::Content> contents) {
  contents.insert(dataset::Content::image);
  return contents;
}

}  // namespace

Predictor::Predictor(const StageContext& context, SegmenterModel& model, const nlohmann::ordered_json& settings,
                     const std::string& role, const std::string& purpose, std::string operation,
                     std::set<dataset::Content> contents)
    : context_(context),
      model_(model),
      operation_(std::move(operation)),
      pyramid_(pyramid_settings_from(settings)),
      images_(open_images_of(context_, role, who(), purpose, with_images(std::move(contents)))),
      planes_(static_cast<std::size_t>(context_.classes().num_classes() + 1)) {
  fit::check_precision(pyramid_.precision, context_.services.device(), "predictions.precision");
  std::iota(planes_.begin(), planes_.end(), kBackgroundLabel);
  Backbone& backbone = *model_.strategy.method->backbone();
  normalisation_ = backbone.normalisation();
  size_multiple_px_ = backbone.size_multiple_px();
}

void Predictor::check_logits(const at::Tensor& logits_nkhw, std::int64_t n) const {
  const auto num_labels = static_cast<std::int64_t>(planes_.size());
  const bool fits = logits_nkhw.defined() && logits_nkhw.dim() == 4 && logits_nkhw.size(0) == n &&
                    logits_nkhw.size(1) == num_labels && logits_nkhw.scalar_type() == at::kFloat;
  if (!fits) {
    throw ContractError(who(), "predict() gives float32 logits of every label",
                        "[" + std::to_string(n) + "," + std::to_string(num_labels) + ",h,w]", "another tensor");
  }
  if (!at::isfinite(logits_nkhw).all().item<bool>()) {
    throw ContractError(who(), "predict() gives finite logits", "finite values", "NaN or infinity");
  }
}

// Logits are promised in float32, whatever the network computed in.
at::Tensor Predictor::predict(const at::Tensor& images_nchw) {
  const fit::AutocastScope precision(pyramid_.precision, context_.services.device());
  const at::Tensor logits = model_.strategy.method->predict(images_nchw, *model_.strategy.run);
  return pyramid_.precision == fit::Precision::float32 ? logits : logits.to(at::kFloat);
}

// The sum over the input's views of the probabilities at the image's size, [K,H,W].
at::Tensor Predictor::probabilities(const NetworkInput& input, std::int64_t height_px, std::int64_t width_px) {
  const at::Tensor images = input.images_nchw.to(context_.services.device());
  const InputGuard guard({{"images_nchw", images}}, first_call_);
  at::Tensor logits = predict(images);
  guard.verify(who());
  check_logits(logits, images.size(0));
  first_call_ = false;
  // A padded input shows more than the image: crop what lies beyond it, at the input's resolution.
  const Area& covered = input.views.front().covered;
  if (covered.bottom > static_cast<double>(height_px) || covered.right > static_cast<double>(width_px)) {
    const auto shown = [](std::int64_t side, std::int64_t image, double area) {
      return kernels::round_half_even(static_cast<double>(side) * static_cast<double>(image) / area);
    };
    logits = kernels::resize_maps(logits, images.size(2), images.size(3), false)
                 .slice(2, 0, shown(images.size(2), height_px, covered.bottom))
                 .slice(3, 0, shown(images.size(3), width_px, covered.right));
  }
  const at::Tensor scores = kernels::resize_maps(logits, height_px, width_px, false).softmax(1);
  at::Tensor sum = scores[0];
  for (std::size_t i = 1; i < input.views.size(); ++i) {
    const at::Tensor view = scores[static_cast<std::int64_t>(i)];
    sum = sum + (input.views[i].flipped ? view.flip(2) : view);
  }
  return sum;
}

ImageProduct Predictor::make(const std::string& image_id) {
  const at::Tensor image = images_->image(image_id);
  ImageProduct product;
  product.height_px = image.size(0);
  product.width_px = image.size(1);
  const fit::RandomScope random(model_.strategy.run->generator(),
                                fit::derive_seed(context_.random_seed(), operation_ + "/" + image_id));
  at::Tensor sum;
  std::size_t num_views = 0;
  for (const double scale : pyramid_.scales) {
    const NetworkInput input = network_input(image, image_id, scale, pyramid_, normalisation_, size_multiple_px_);
    const at::Tensor scores = probabilities(input, product.height_px, product.width_px);
    sum = sum.defined() ? sum + scores : scores;
    num_views += input.views.size();
  }
  product.maps.emplace();
  product.maps->scores_nphw = sum.div(static_cast<double>(num_views)).to(at::kCPU).unsqueeze(0);
  product.maps->planes = planes_;
  product.maps->value = ValueKind::probability;
  product.maps->covered = {{0, 0, static_cast<double>(product.height_px), static_cast<double>(product.width_px)}};
  return product;
}

}  // namespace seedbed::stages
