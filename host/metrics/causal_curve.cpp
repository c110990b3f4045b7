#include "metrics/causal_curve.hpp"

#include <algorithm>
#include <numeric>
#include <string>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::metrics {
namespace {

// RISE's figures for 224 px inputs, taken for every size.
constexpr std::int64_t kBlurRadiusPx = 5;
constexpr double kBlurDeviationPx = 5;

at::Tensor blurred(const at::Tensor& image_chw) {
  const at::Tensor offsets = at::arange(-kBlurRadiusPx, kBlurRadiusPx + 1, image_chw.options());
  at::Tensor weights = offsets.square().div(-2 * kBlurDeviationPx * kBlurDeviationPx).exp();
  weights = weights / weights.sum();
  const at::Tensor along_rows =
      at::conv2d(image_chw.unsqueeze(1), weights.view({1, 1, 1, -1}), {}, 1, at::IntArrayRef{0, kBlurRadiusPx});
  return at::conv2d(along_rows, weights.view({1, 1, -1, 1}), {}, 1, at::IntArrayRef{kBlurRadiusPx, 0}).squeeze(1);
}

}  // namespace

at::Tensor causal_baseline(const at::Tensor& image_chw, CausalBaseline baseline) {
  return baseline == CausalBaseline::grey ? at::zeros_like(image_chw) : blurred(image_chw);
}

at::Tensor places_by_value(const at::Tensor& map_hw) {
  if (map_hw.dim() != 2 || !map_hw.is_floating_point())
    throw ContractError("places_by_value", "a map is [H,W] and floating", "[H,W]", map_hw.toString());
  const at::Tensor order = map_hw.flatten().argsort(/*stable=*/true, /*dim=*/0, /*descending=*/true);
  const at::Tensor places = at::empty_like(order);
  places.index_copy_(0, order, at::arange(order.numel(), order.options()));
  return places.view(map_hw.sizes());
}

std::vector<std::int64_t> pixels_changed(std::int64_t num_pixels, std::int64_t steps) {
  std::vector<std::int64_t> changed;
  for (std::int64_t step = 0; step <= steps; ++step) changed.push_back(step * num_pixels / steps);
  return changed;
}

at::Tensor causal_images(const at::Tensor& image_chw, const at::Tensor& baseline_chw, const at::Tensor& places_hw,
                         const std::vector<std::int64_t>& changed, CausalMetric metric) {
  const bool fits = image_chw.dim() == 3 && image_chw.sizes() == baseline_chw.sizes() &&
                    places_hw.sizes() == image_chw.sizes().slice(1);
  if (!fits)
    throw ContractError("causal_images", "image and baseline have one size, and each pixel a place",
                        image_chw.toString(), baseline_chw.toString());
  const at::Tensor& before = metric == CausalMetric::deletion ? image_chw : baseline_chw;
  const at::Tensor& after = metric == CausalMetric::deletion ? baseline_chw : image_chw;
  const at::Tensor counts = at::tensor(changed, at::kLong).to(image_chw.device()).view({-1, 1, 1, 1});
  const at::Tensor has_changed = places_hw.to(image_chw.device()).unsqueeze(0).unsqueeze(0).lt(counts);
  return at::where(has_changed, after.unsqueeze(0), before.unsqueeze(0));
}

std::vector<double> causal_curve(const at::Tensor& image_chw, const at::Tensor& map_hw, const CausalForm& form,
                                 std::int64_t images_at_once, const AskedNetwork& ask) {
  const at::Tensor baseline = causal_baseline(image_chw, form.baseline);
  const at::Tensor places = places_by_value(map_hw);
  const std::vector<std::int64_t> changed = pixels_changed(places.numel(), form.steps);
  std::vector<double> scores;
  for (auto next = changed.begin(); next != changed.end();) {
    const auto end = next + std::min<std::ptrdiff_t>(images_at_once, changed.end() - next);
    const at::Tensor shown = causal_images(image_chw, baseline, places, {next, end}, form.metric);
    const at::Tensor found = ask(shown).to(at::kCPU, at::kDouble).contiguous();
    scores.insert(scores.end(), found.const_data_ptr<double>(), found.const_data_ptr<double>() + found.numel());
    next = end;
  }
  return scores;
}

double causal_area(const std::vector<double>& scores) {
  if (scores.size() < 2)
    throw ContractError("causal_area", "a curve has both ends", "at least two scores", std::to_string(scores.size()));
  const double inner = std::accumulate(scores.begin() + 1, scores.end() - 1, 0.0);
  return (inner + (scores.front() + scores.back()) / 2) / static_cast<double>(scores.size() - 1);
}

}  // namespace seedbed::metrics
