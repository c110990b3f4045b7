#include <tuple>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "methods.hpp"
#include "seedbed/kernels/resize.hpp"
#include "tap_explainer.hpp"

namespace seedbed::grad_cam {
namespace {

// Below any score: the softmax gives such a channel nothing.
constexpr double kNoScore = -1e30;

/// (value - low) / range, 0 where the range is.
at::Tensor scaled(const at::Tensor& values_khw, const at::Tensor& low_k11, const at::Tensor& range_k11) {
  return at::where(range_k11.gt(0), (values_khw - low_k11) / range_k11, 0.0);
}

/// One image seen through its channels.
struct MaskedScores {
  at::Tensor scores_kc;
  at::Tensor low_k11;    ///< of each channel, resized to the image
  at::Tensor range_k11;  ///< 0 where a channel is constant
};

/// Channel weights without gradients: what a channel is worth to a class is the class score of the image seen through
/// that channel's activations.
class ScoreCam final : public TapExplainer {
 public:
  ScoreCam(const ScoreCamParameters& parameters, const ModelContext& context)
      : TapExplainer(classifier_options(parameters), parameters.tap, context), parameters_(parameters) {}

  SeedResult generate(const SeedRequest& request) override;

 private:
  at::Tensor chosen_channels(const at::Tensor& cells_dhw) const;
  MaskedScores masked_scores(const at::Tensor& image_1chw, const at::Tensor& cells_khw, RunContext& run);
  at::Tensor map_of(const at::Tensor& cells_khw, const MaskedScores& masked) const;

  ScoreCamParameters parameters_;
};

at::Tensor ScoreCam::chosen_channels(const at::Tensor& cells_dhw) const {
  const std::int64_t wanted = parameters_.num_channels;
  if (wanted == 0 || wanted >= cells_dhw.size(0)) return cells_dhw;
  const at::Tensor values = cells_dhw.flatten(1);
  const at::Tensor variance = (values - values.mean(1, /*keepdim=*/true)).square().mean(1);
  const at::Tensor most_varied = std::get<1>(variance.topk(wanted));
  return cells_dhw.index_select(0, std::get<0>(most_varied.sort()));
}

// A few masks at a time: one for each channel at image size would be gigabytes.
MaskedScores ScoreCam::masked_scores(const at::Tensor& image_1chw, const at::Tensor& cells_khw, RunContext& run) {
  std::vector<at::Tensor> scores, lows, ranges;
  for (const at::Tensor& cells : cells_khw.split(parameters_.masks_at_once)) {
    run.check_cancelled();
    const at::Tensor resized =
        kernels::resize_maps(cells, image_1chw.size(2), image_1chw.size(3), /*align_corners=*/false);
    lows.push_back(resized.amin({1, 2}, /*keepdim=*/true));
    ranges.push_back(resized.amax({1, 2}, /*keepdim=*/true) - lows.back());
    const at::Tensor masks = scaled(resized, lows.back(), ranges.back()).unsqueeze(1);
    scores.push_back(scores_of(image_1chw * masks, &run));
  }
  return {at::cat(scores), at::cat(lows), at::cat(ranges)};
}

// A constant channel says nothing about places and is left out. [C,h,w]
at::Tensor ScoreCam::map_of(const at::Tensor& cells_khw, const MaskedScores& masked) const {
  const at::Tensor varies_k1 = masked.range_k11.view({-1, 1}).gt(0);
  if (parameters_.variant == "released") {
    // The masks before they were resized: resizing commutes with the sum, so the host's gives the published map.
    const at::Tensor weights_kc = masked.scores_kc.sigmoid() * varies_k1;
    return at::tensordot(weights_kc, scaled(cells_khw, masked.low_k11, masked.range_k11), {0}, {0});
  }
  const at::Tensor weights_kc = masked.scores_kc.masked_fill(varies_k1.logical_not(), kNoScore).softmax(0) * varies_k1;
  return at::tensordot(weights_kc, cells_khw, {0}, {0});
}

SeedResult ScoreCam::generate(const SeedRequest& request) {
  const std::int64_t height_px = request.images_nchw.size(2), width_px = request.images_nchw.size(3);
  const at::Tensor activations = activations_of(request.images_nchw, request.run);
  std::vector<at::Tensor> maps;
  for (const at::Tensor& cells_dhw : cells_of(explained_tap(), activations, height_px, width_px).unbind(0)) {
    const at::Tensor image = request.images_nchw.narrow(0, std::ssize(maps), 1);
    const at::Tensor cells_khw = chosen_channels(cells_dhw);
    maps.push_back(map_of(cells_khw, masked_scores(image, cells_khw, *request.run)));
  }
  at::Tensor logits_nc;
  if (request.logits_wanted) logits_nc = scores_of(request.images_nchw, request.run);
  return result_of(request, at::stack(maps), logits_nc);
}

}  // namespace

std::shared_ptr<SeedGenerator> make_score_cam(const ScoreCamParameters& parameters, const ModelContext& context) {
  return std::make_shared<ScoreCam>(parameters, context);
}

}  // namespace seedbed::grad_cam
