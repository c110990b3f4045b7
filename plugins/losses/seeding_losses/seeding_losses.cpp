#include "seeding_losses.hpp"

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/kernels/label_resize.hpp"
#include "seedbed/labelled_pixels.hpp"

namespace seedbed::seeding_losses {

Seed::Seed(const SeedParameters& parameters)
    : parameters_(parameters),
      balance_(parameters.balance == "background_foreground" ? kernels::SeedBalance::background_foreground
                                                             : kernels::SeedBalance::none) {}

at::Tensor Seed::compute(const LossRequest& request) {
  const at::Tensor probabilities = kernels::with_floor(request.logits.softmax(1), parameters_.floor);
  // Labels that the segmenter does not know are told as other pixel losses tell them.
  LossRequest on_grid = request;
  on_grid.target_nhw = kernels::resize_labels(request.target_nhw, request.logits.size(2), request.logits.size(3),
                                              kernels::LabelSampling::centres);
  const LabelledPixels pixels = labelled_pixels(on_grid, /*align_corners=*/false);
  const at::Tensor labels = pixels.labels_nhw.masked_fill(pixels.counts_nhw.logical_not(), kIgnoreLabel);
  const at::Tensor cues =
      kernels::cues_from_labels(labels, request.logits.size(1), request.logits.size(2), request.logits.size(3));
  return kernels::seed_loss(probabilities, cues, balance_);
}

at::Tensor Expand::compute(const LossRequest& request) {
  const at::Tensor probabilities = kernels::with_floor(request.logits.softmax(1), parameters_.floor);
  return kernels::expand_loss(
      probabilities, request.present_nc,
      {.foreground = parameters_.q_fg, .background = parameters_.q_bg, .absent = parameters_.q_absent});
}

Constrain::Constrain(const ConstrainParameters& parameters)
    : parameters_(parameters),
      layer_{.iterations = parameters.iterations,
             .gauss_sigma = parameters.gauss_sigma / parameters.crf_scale,
             .gauss_weight = parameters.gauss_weight,
             .bilateral_xy = parameters.bilateral_xy / parameters.crf_scale,
             .bilateral_rgb = parameters.bilateral_rgb,
             .bilateral_weight = parameters.bilateral_weight} {
  const std::vector<double>& clip = parameters_.ratio_clip;
  if (clip.empty()) return;
  if (clip.size() != 2 || clip[0] <= 0 || clip[1] <= clip[0]) {
    throw UserError("ratio_clip",
                    "a ratio is held between two rising numbers above 0: `" + std::to_string(clip.size()) +
                        "` are given, or they do not rise",
                    "[0.05, 20.0] as DSRG, or [] to hold it nowhere");
  }
  ratio_clip_.emplace(clip[0], clip[1]);
}

at::Tensor Constrain::compute(const LossRequest& request) {
  const at::Tensor& logits = request.logits;
  const at::Tensor probabilities = kernels::with_floor(logits.softmax(1), parameters_.floor);
  const at::Tensor image = kernels::image_on_grid(request.images_raw_nhwc, logits.size(2), logits.size(3));
  const at::Tensor& scores = parameters_.crf_input == "logits" ? logits : probabilities;
  at::Tensor smoothed = kernels::crf_layer(scores, image, layer_).to(logits.scalar_type());
  if (parameters_.crf_gradient == "released_dsrg") smoothed = kernels::with_crf_gradient(smoothed, scores);
  return kernels::constrain_loss(probabilities, kernels::at_least_floor(smoothed, parameters_.floor), ratio_clip_);
}

}  // namespace seedbed::seeding_losses
