#include "seedbed/kernels/seed_expand_constrain.hpp"

#include <algorithm>
#include <limits>
#include <tuple>
#include <vector>

#include <ATen/ATen.h>

#include "seedbed/kernels/label_resize.hpp"
#include "seedbed/kernels/map_pooling.hpp"

namespace seedbed::kernels {
namespace {

at::Tensor rank_weighted(const at::Tensor& planes_nkhw, double decay) {
  MapPooling pooling;
  pooling.rule = "gwrp";
  pooling.rank_decay = decay;
  return pool_maps(planes_nkhw, pooling);
}

// The mean of each row of `values` where `chosen` holds; 0 where it holds nowhere.
at::Tensor mean_of_chosen(const at::Tensor& values_nc, const at::Tensor& chosen_nc) {
  return values_nc.masked_fill(chosen_nc.logical_not(), 0).sum(1) / chosen_nc.sum(1).clamp_min(1);
}

// -log p summed over an image's cues, by their number. [N]
at::Tensor mean_over_cues(const at::Tensor& surprise_nkhw, const at::Tensor& cues_nkhw) {
  return (surprise_nkhw * cues_nkhw).sum({1, 2, 3}) / cues_nkhw.sum({1, 2, 3}).clamp_min(kSeedingFloor);
}

// [N,h,w]; cells beyond the border are those at it.
at::Tensor median_of_3x3(const at::Tensor& map_nhw) {
  const at::Tensor wide = at::replication_pad2d(map_nhw.unsqueeze(1), {1, 1, 1, 1}).squeeze(1);
  std::vector<at::Tensor> members;
  for (std::int64_t y = 0; y < 3; ++y) {
    for (std::int64_t x = 0; x < 3; ++x) {
      members.push_back(wide.narrow(1, y, map_nhw.size(1)).narrow(2, x, map_nhw.size(2)));
    }
  }
  return std::get<0>(at::stack(members).median(0));
}

}  // namespace

at::Tensor cues_from_labels(const at::Tensor& labels_nhw, std::int64_t num_labels, std::int64_t height,
                            std::int64_t width) {
  const at::Tensor labels = resize_labels(labels_nhw, height, width, LabelSampling::centres);
  return labels.unsqueeze(1).eq(at::arange(num_labels, labels.options()).view({1, -1, 1, 1})).to(at::kFloat);
}

at::Tensor cues_from_maps(const at::Tensor& maps_nchw, const at::Tensor& present_nc, const CueRule& rule) {
  // Absent classes are below any bound, and below any evidence, which may be negative.
  const at::Tensor maps = maps_nchw.detach().masked_fill(present_nc.logical_not().unsqueeze(2).unsqueeze(3),
                                                         -std::numeric_limits<double>::infinity());
  const at::Tensor classes = maps.gt(rule.foreground_ratio * maps.amax({2, 3}, /*keepdim=*/true));
  const at::Tensor evidence = median_of_3x3(maps.amax(1)).flatten(1);
  const auto wanted = static_cast<std::int64_t>(rule.background_fraction * static_cast<double>(evidence.size(1)));
  at::Tensor background = at::zeros_like(evidence, at::kBool);
  if (wanted > 0) {
    const at::Tensor bound = std::get<0>(evidence.kthvalue(std::min(wanted, evidence.size(1)), 1, /*keepdim=*/true));
    background = evidence.le(bound);
  }
  background = background.view({maps.size(0), 1, maps.size(2), maps.size(3)});
  return at::cat({background, classes}, 1).to(at::kFloat);
}

at::Tensor with_floor(const at::Tensor& probabilities_nkhw, double floor) {
  const at::Tensor raised = probabilities_nkhw + floor;
  return raised / raised.sum(1, /*keepdim=*/true);
}

at::Tensor at_least_floor(const at::Tensor& probabilities_nkhw, double floor) {
  const at::Tensor raised = probabilities_nkhw.clamp_min(floor);
  return raised / raised.sum(1, /*keepdim=*/true);
}

at::Tensor seed_loss(const at::Tensor& probabilities_nkhw, const at::Tensor& cues_nkhw, SeedBalance balance) {
  const at::Tensor surprise = probabilities_nkhw.log().neg();
  const at::Tensor cues = cues_nkhw.to(surprise.scalar_type());
  if (balance == SeedBalance::none) return mean_over_cues(surprise, cues).mean();
  const at::Tensor background = mean_over_cues(surprise.narrow(1, 0, 1), cues.narrow(1, 0, 1));
  const std::int64_t num_classes = cues.size(1) - 1;
  return (background + mean_over_cues(surprise.narrow(1, 1, num_classes), cues.narrow(1, 1, num_classes))).mean();
}

at::Tensor expand_loss(const at::Tensor& probabilities_nkhw, const at::Tensor& present_nc, const ExpandDecays& decays) {
  const at::Tensor classes = probabilities_nkhw.slice(1, 1);
  const at::Tensor seen = rank_weighted(classes, decays.foreground).log();
  const at::Tensor unseen = (1 - rank_weighted(classes, decays.absent)).log();
  const at::Tensor background = rank_weighted(probabilities_nkhw.slice(1, 0, 1), decays.background).log().squeeze(1);
  return -(mean_of_chosen(seen, present_nc) + mean_of_chosen(unseen, present_nc.logical_not()) + background).mean();
}

at::Tensor constrain_loss(const at::Tensor& probabilities_nkhw, const at::Tensor& smoothed_nkhw,
                          std::optional<std::pair<double, double>> ratio_clip) {
  at::Tensor ratio = smoothed_nkhw / probabilities_nkhw;
  if (ratio_clip) ratio = ratio.clamp(ratio_clip->first, ratio_clip->second);
  return (smoothed_nkhw * ratio.log()).sum(1).mean();
}

at::Tensor with_crf_gradient(const at::Tensor& smoothed_nkhw, const at::Tensor& source_nkhw) {
  const at::Tensor fixed = smoothed_nkhw.detach();
  return fixed + (source_nkhw - source_nkhw.detach()) * (1 - fixed);
}

}  // namespace seedbed::kernels
