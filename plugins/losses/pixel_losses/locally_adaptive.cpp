#include "locally_adaptive.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::pixel_losses {
namespace {

constexpr std::int64_t kNoLabel = -1;  // of pixels that do not count and of what lies outside the image

/// The windows around every `stride`-th pixel, seen as one shifted copy of a map for each of their members.
class Windows {
 public:
  Windows(const at::Tensor& labels_nhw, std::int64_t window, std::int64_t stride, double sigma)
      : height_(labels_nhw.size(1)), width_(labels_nhw.size(2)), window_(window), stride_(stride) {
    const at::Tensor centres = shifted(padded(labels_nhw, kNoLabel), window / 2, window / 2);
    const at::Tensor members = padded(labels_nhw, kNoLabel);
    for (std::int64_t y = 0; y < window; ++y) {
      for (std::int64_t x = 0; x < window; ++x) {
        const auto distance = static_cast<double>(std::max(std::abs(y - window / 2), std::abs(x - window / 2)));
        log_weights_.push_back(-distance * distance / (2 * sigma * sigma));
        same_.push_back(shifted(members, y, x).eq(centres));
      }
    }
  }

  /// One tensor a member, [..., h, w] each, of a map [..., H, W].
  std::vector<at::Tensor> members_of(const at::Tensor& map) const {
    const at::Tensor whole = padded(map, 0);
    std::vector<at::Tensor> members;
    for (std::int64_t y = 0; y < window_; ++y) {
      for (std::int64_t x = 0; x < window_; ++x) members.push_back(shifted(whole, y, x));
    }
    return members;
  }

  /// Of the centres. [N,h,w]
  at::Tensor at_centres(const at::Tensor& map_nhw) const {
    return shifted(padded(map_nhw, 0), window_ / 2, window_ / 2);
  }

  /// Where member m has the label of its centre. [N,h,w] bool
  const at::Tensor& same(std::size_t m) const { return same_[m]; }
  double log_weight(std::size_t m) const { return log_weights_[m]; }
  std::size_t size() const { return same_.size(); }

 private:
  at::Tensor padded(const at::Tensor& map, std::int64_t value) const {
    const std::int64_t r = window_ / 2;
    return r == 0 ? map : at::constant_pad_nd(map, {r, r, r, r}, value);
  }
  at::Tensor shifted(const at::Tensor& whole, std::int64_t y, std::int64_t x) const {
    return whole.slice(-2, y, y + height_, stride_).slice(-1, x, x + width_, stride_);
  }

  std::int64_t height_, width_, window_, stride_;
  std::vector<at::Tensor> same_;
  std::vector<double> log_weights_;
};

at::Tensor masked(const at::Tensor& log_values, const at::Tensor& kept) {
  return log_values.masked_fill(kept.logical_not(), -std::numeric_limits<double>::infinity());
}

// log of the weights that fall on members of the centre's label. [N,h,w]
at::Tensor log_total(const Windows& windows, const at::Tensor& like) {
  std::vector<at::Tensor> logs;
  for (std::size_t m = 0; m < windows.size(); ++m) {
    logs.push_back(masked(at::full_like(windows.same(m), windows.log_weight(m), like.options().requires_grad(false)),
                          windows.same(m)));
  }
  return at::stack(logs).logsumexp(0);
}

// Of the merged distributions only the centre's label is read, and all that are merged have that label: one map of the
// pixels' own log probabilities is enough. Stays in logarithms, so an unlikely label keeps its gradient.
at::Tensor merged_softmax(const Windows& windows, const at::Tensor& log_probability_nhw) {
  const std::vector<at::Tensor> members = windows.members_of(log_probability_nhw);
  std::vector<at::Tensor> logs;
  for (std::size_t m = 0; m < members.size(); ++m) {
    logs.push_back(masked(members[m] + windows.log_weight(m), windows.same(m)));
  }
  return log_total(windows, log_probability_nhw) - at::stack(logs).logsumexp(0);
}

at::Tensor merged_logits(const Windows& windows, const at::Tensor& logits_nkhw, const at::Tensor& labels_nhw) {
  const std::vector<at::Tensor> members = windows.members_of(logits_nkhw);
  at::Tensor sum, total;
  for (std::size_t m = 0; m < members.size(); ++m) {
    const at::Tensor weight =
        windows.same(m).unsqueeze(1).to(logits_nkhw.scalar_type()) * std::exp(windows.log_weight(m));
    sum = sum.defined() ? sum + members[m] * weight : members[m] * weight;
    total = total.defined() ? total + weight : weight;
  }
  const at::Tensor labels = windows.at_centres(labels_nhw);
  return -(sum / total).log_softmax(1).gather(1, labels.unsqueeze(1)).squeeze(1);
}

// (mean e^k)^(1/k), each value by the largest, so that no power overflows.
at::Tensor minkowski_mean(const at::Tensor& values, const at::Tensor& counts, double exponent) {
  const double largest = values.masked_fill(counts.logical_not(), 0).max().item<double>();
  if (exponent == 1.0 || largest == 0.0) return mean_where(values, counts);
  return largest * mean_where((values / largest).clamp_min(0).pow(exponent), counts).pow(1 / exponent);
}

}  // namespace

LocallyAdaptive::LocallyAdaptive(const LocallyAdaptiveParameters& parameters) : parameters_(parameters) {
  if (parameters_.window % 2 != 0) return;
  throw UserError("window", "a window has a centre, so its side is odd: `" + std::to_string(parameters_.window) + "`",
                  "1, 3, 5 ...");
}

at::Tensor LocallyAdaptive::compute(const LossRequest& request) {
  const LabelledPixels pixels = labelled_pixels(request, parameters_.align_corners);
  const at::Tensor known = pixels.labels_nhw.masked_fill(pixels.counts_nhw.logical_not(), kNoLabel);
  const Windows windows(known, parameters_.window, parameters_.stride, parameters_.sigma);
  at::Tensor values;
  if (parameters_.merge == "softmax") {
    const at::Tensor log_probability =
        pixels.logits_nkhw.log_softmax(1).gather(1, pixels.labels_nhw.unsqueeze(1)).squeeze(1);
    values = merged_softmax(windows, log_probability);
  } else {
    values = merged_logits(windows, pixels.logits_nkhw, pixels.labels_nhw);
  }
  return minkowski_mean(values, windows.at_centres(pixels.counts_nhw), parameters_.exponent);
}

}  // namespace seedbed::pixel_losses
