#include "overlap_history.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/types.hpp"

namespace seedbed::label_correction {
namespace {

// Entries of the store.
constexpr std::string_view kCounts = "counts";        // [2,K] int64: pixels in both, pixels in either
constexpr std::string_view kPoints = "points";        // [T,K+1] float64: epoch, then the overlap of each label or NaN
constexpr std::string_view kCorrected = "corrected";  // [K] bool

at::Tensor counts_of(const at::Tensor& labels, std::int64_t num_labels) {
  return at::bincount(labels, {}, num_labels).slice(0, 0, num_labels).cpu();
}

}  // namespace

void OverlapHistory::count(const at::Tensor& predicted_nhw, const at::Tensor& target_nhw) {
  const c10::NoGradGuard no_grad;
  const at::Tensor counts_nhw = target_nhw.lt(kUndecidedLabel);
  const at::Tensor predicted = predicted_nhw.masked_select(counts_nhw), target = target_nhw.masked_select(counts_nhw);
  const at::Tensor both = counts_of(predicted.masked_select(predicted.eq(target)), num_labels_);
  const at::Tensor either = counts_of(predicted, num_labels_) + counts_of(target, num_labels_) - both;
  at::Tensor sums = at::stack({both, either});
  if (store_.contains(kCounts)) sums = sums + store_.read(kCounts);
  store_.write(kCounts, sums);
}

void OverlapHistory::record(double epoch) {
  if (!store_.contains(kCounts)) return;
  const at::Tensor counts_2k = store_.read(kCounts).to(at::kDouble);
  if (counts_2k.sum().item<double>() == 0) return;
  // 0 / 0 is NaN: nobody saw the class.
  const at::Tensor row = at::cat({at::full({1}, epoch, at::kDouble), counts_2k[0] / counts_2k[1]}).unsqueeze(0);
  store_.write(kPoints, store_.contains(kPoints) ? at::cat({store_.read(kPoints), row}) : row);
  store_.write(kCounts, at::zeros({2, num_labels_}, at::kLong));
}

std::vector<CurvePoint> OverlapHistory::points(std::int64_t label) const {
  std::vector<CurvePoint> points;
  if (!store_.contains(kPoints)) return points;
  const at::Tensor rows = store_.read(kPoints);
  for (std::int64_t i = 0; i < rows.size(0); ++i) {
    const auto overlap = rows[i][label + 1].item<double>();
    if (overlap == overlap) points.push_back({rows[i][0].item<double>(), overlap});
  }
  return points;
}

at::Tensor OverlapHistory::corrected_k() const {
  return store_.contains(kCorrected) ? store_.read(kCorrected) : at::zeros({num_labels_}, at::kBool);
}

}  // namespace seedbed::label_correction
