#include "instance_masks.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include <ATen/ATen.h>

#include "seedbed/kernels/resize.hpp"

namespace seedbed::prm {
namespace {

constexpr std::int64_t kContourWindow = 5;

// An instance on its way, with the responses that have joined it.
struct Candidate {
  Instance instance;
  at::Tensor response_hw;
};

double overlap(const at::Tensor& first_hw, const at::Tensor& second_hw) {
  const auto both = first_hw.logical_and(second_hw).sum().item<std::int64_t>();
  const auto either = first_hw.logical_or(second_hw).sum().item<std::int64_t>();
  return either == 0 ? 0.0 : static_cast<double>(both) / static_cast<double>(either);
}

// Non-maximum suppression in which the response of what is suppressed goes to what suppresses it. Highest score first.
std::vector<Candidate> merged(std::vector<Candidate> candidates, double most_overlap) {
  std::ranges::stable_sort(candidates, std::greater<>(), [](const Candidate& one) { return one.instance.score; });
  std::vector<Candidate> kept;
  for (Candidate& candidate : candidates) {
    const auto same = std::ranges::find_if(kept, [&](const Candidate& other) {
      return other.instance.class_id == candidate.instance.class_id &&
             overlap(other.instance.mask_hw, candidate.instance.mask_hw) > most_overlap;
    });
    if (same == kept.end()) {
      kept.push_back(std::move(candidate));
    } else {
      same->response_hw = same->response_hw + candidate.response_hw;
    }
  }
  return kept;
}

at::Tensor mask_of(const at::Tensor& response_hw, const MaskOptions& options) {
  const at::Tensor response = smoothed(response_hw, options.smoothing_px);
  return response.gt(response.max() * options.response_threshold);
}

// Those of a legal size among the first.
at::Tensor legal(const at::Tensor& proposals_phw, const MaskOptions& options) {
  const at::Tensor first = proposals_phw.slice(0, 0, options.num_proposals);
  const at::Tensor share = first.flatten(1).to(at::kFloat).mean(1);
  return first.index_select(
      0, share.ge(options.least_area).logical_and(share.le(options.largest_area)).nonzero().flatten());
}

at::Tensor sum_under(const at::Tensor& masks_phw, const at::Tensor& values_hw) {
  return masks_phw.flatten(1).to(at::kFloat).matmul(values_hw.flatten().to(at::kFloat));
}

}  // namespace

at::Tensor smoothed(const at::Tensor& response_hw, std::int64_t window_px) {
  if (window_px == 1) return response_hw;
  const at::Tensor one = response_hw.unsqueeze(0).unsqueeze(0);
  return at::avg_pool2d(one, window_px, 1, window_px / 2, false, /*count_include_pad=*/false)[0][0];
}

std::vector<Instance> thresholded(std::vector<PeakResponse> peaks, const MaskOptions& options) {
  std::vector<Candidate> candidates;
  for (PeakResponse& peak : peaks) {
    candidates.push_back({{mask_of(peak.response_hw, options), peak.class_id, peak.value}, peak.response_hw});
  }
  std::vector<Instance> instances;
  for (Candidate& candidate : merged(std::move(candidates), options.overlap)) {
    candidate.instance.mask_hw = mask_of(candidate.response_hw, options);
    if (candidate.instance.mask_hw.any().item<bool>()) instances.push_back(std::move(candidate.instance));
  }
  return instances;
}

std::vector<Instance> retrieved(std::vector<PeakResponse> peaks, const at::Tensor& proposals_phw,
                                const at::Tensor& class_maps_chw, const MaskOptions& options) {
  const at::Tensor masks = legal(proposals_phw, options);
  if (masks.size(0) == 0) return {};
  const at::Tensor contours = contours_of(masks);
  std::vector<Candidate> candidates;
  for (const PeakResponse& peak : peaks) {
    const at::Tensor background =
        background_of(class_maps_chw[peak.class_id - 1], masks.size(1), masks.size(2), options);
    const at::Tensor fits = options.balance * sum_under(masks, peak.response_hw) +
                            sum_under(contours, peak.response_hw) - options.penalty * sum_under(masks, background);
    const auto best = fits.argmax().item<std::int64_t>();
    candidates.push_back({{masks[best].clone(), peak.class_id, fits[best].item<double>()}, peak.response_hw});
  }
  std::vector<Instance> instances;
  for (Candidate& candidate : merged(std::move(candidates), options.overlap)) {
    instances.push_back(std::move(candidate.instance));
  }
  return instances;
}

at::Tensor background_of(const at::Tensor& class_map_hw, std::int64_t height_px, std::int64_t width_px,
                         const MaskOptions& options) {
  at::Tensor map_hw;
  if (options.byte_maps) {
    const auto [low, high] = at::aminmax(class_map_hw);
    const double range = (high - low).item<double>();
    const at::Tensor bytes =
        ((class_map_hw - low) * (range > 0 ? 255.0 / range : 0.0)).round().to(at::kByte).to(at::kCPU);
    map_hw = kernels::resize_image_as_pil(bytes.contiguous(), height_px, width_px, kernels::ResizeFilter::bicubic)
                 .to(class_map_hw.device(), at::kFloat);
  } else {
    map_hw = at::upsample_bicubic2d(class_map_hw.unsqueeze(0).unsqueeze(0), {height_px, width_px},
                                    /*align_corners=*/false)[0][0];
  }
  return map_hw.lt(options.background_factor * map_hw.mean());
}

at::Tensor contours_of(const at::Tensor& masks_phw) {
  const auto dilated = [](const at::Tensor& masks) {
    return at::max_pool2d(masks.unsqueeze(1).to(at::kFloat), kContourWindow, 1, kContourWindow / 2).squeeze(1).gt(0);
  };
  return dilated(masks_phw).logical_and(dilated(masks_phw.logical_not()));
}

}  // namespace seedbed::prm
