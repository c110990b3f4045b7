#include "metrics/label_decision.hpp"

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::metrics {
namespace {

double share(const at::Tensor& part, const at::Tensor& whole) {
  const double divisor = whole.sum().item<double>();
  return divisor > 0 ? part.sum().item<double>() / divisor : 0;
}

// Class by class, 0/0 as 0, averaged.
double mean_share(const at::Tensor& part_c, const at::Tensor& whole_c) {
  return at::where(whole_c > 0, part_c / whole_c.clamp_min(1), at::zeros_like(part_c)).mean().item<double>();
}

}  // namespace

LabelDecision decide_labels(const at::Tensor& scores_nc, const at::Tensor& labels_nc, double threshold) {
  if (scores_nc.dim() != 2 || scores_nc.sizes() != labels_nc.sizes() || scores_nc.numel() == 0)
    throw ContractError("decide_labels", "each image has a score and a label of each class", "[N,C]",
                        scores_nc.toString());
  const at::Tensor truth = labels_nc.ne(0), said = scores_nc.to(at::kDouble).gt(threshold);
  const at::Tensor right = truth.eq(said);
  const auto count = [](const at::Tensor& flags) { return flags.sum(0).to(at::kDouble); };
  const at::Tensor hits = count(truth.logical_and(said)), predicted = count(said), present = count(truth);
  return {mean_share(hits, predicted),
          mean_share(hits, present),
          share(hits, predicted),
          share(hits, present),
          mean_share(2 * hits, predicted + present),
          share(2 * hits, predicted + present),
          right.all(1).to(at::kDouble).mean().item<double>(),
          right.to(at::kDouble).mean().item<double>()};
}

}  // namespace seedbed::metrics
