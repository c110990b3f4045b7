#include "pair_affinity.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/kernels/label_resize.hpp"

namespace seedbed::affinity {
namespace {

/// The cells of a map and those (rows, columns) from them; rows >= 0.
struct Offset {
  std::int64_t rows, columns;

  at::Tensor first(const at::Tensor& map) const { return part(map, 0, std::max<std::int64_t>(0, -columns)); }
  at::Tensor second(const at::Tensor& map) const { return part(map, rows, std::max<std::int64_t>(0, columns)); }
  bool is_itself() const { return rows == 0 && columns == 0; }

 private:
  at::Tensor part(const at::Tensor& map, std::int64_t top, std::int64_t left) const {
    return map.narrow(-2, top, map.size(-2) - rows).narrow(-1, left, map.size(-1) - std::abs(columns));
  }
};

// Each pair once; a cell with itself where asked for.
std::vector<Offset> half_window(std::int64_t radius, std::int64_t height, std::int64_t width, bool with_itself) {
  std::vector<Offset> offsets;
  const std::int64_t reach = std::min(radius, width - 1);
  for (std::int64_t rows = 0; rows <= std::min(radius, height - 1); ++rows) {
    for (std::int64_t columns = rows == 0 ? 0 : -reach; columns <= reach; ++columns) {
      if (with_itself || rows != 0 || columns != 0) offsets.push_back({rows, columns});
    }
  }
  return offsets;
}

/// A sum over pairs and how many there were.
struct Sum {
  at::Tensor total, pairs;

  void add(const at::Tensor& values, const at::Tensor& chosen, double times) {
    const at::Tensor sum = times * values.masked_fill(chosen.logical_not(), 0).sum(), count = times * chosen.sum();
    total = total.defined() ? total + sum : sum;
    pairs = pairs.defined() ? pairs + count : count;
  }
  at::Tensor mean() const { return total / (pairs + 1); }
};

}  // namespace

std::vector<std::string> PairAffinity::needs() const {
  if (parameters_.of == "features") return {"target", "tap:" + parameters_.tap};
  return {"logits", "target"};
}

at::Tensor PairAffinity::compute(const LossRequest& request) {
  const bool of_features = parameters_.of == "features";
  const at::Tensor map = of_features ? request.taps.at(parameters_.tap) : request.logits.softmax(1);
  if (map.dim() != 4) {
    throw UserError("tap",
                    "affinities are those of a map's cells, and this tap is a sequence: `" + parameters_.tap + "`",
                    "a tap with a map");
  }
  const at::Tensor labels =
      kernels::resize_labels(request.target_nhw, map.size(2), map.size(3), kernels::LabelSampling::centres);
  const at::Tensor known = labels.ne(request.ignore_index).logical_and(labels.ne(kUndecidedLabel));
  Sum missed, mistaken;
  for (const Offset& offset : half_window(parameters_.radius, map.size(2), map.size(3), parameters_.with_itself)) {
    const at::Tensor first = offset.first(map), second = offset.second(map);
    const at::Tensor affinity = of_features ? (first - second).abs().mean(1).neg().exp() : (first * second).sum(1);
    const at::Tensor both = offset.first(known).logical_and(offset.second(known));
    const at::Tensor equal = offset.first(labels).eq(offset.second(labels));
    const double times = offset.is_itself() ? 1 : 2;  // a matrix of pairs holds each twice
    missed.add(1 - affinity, both.logical_and(equal), times);
    mistaken.add(affinity, both.logical_and(equal.logical_not()), times);
  }
  return missed.total.defined() ? 0.5 * (missed.mean() + mistaken.mean()) : 0.0 * map.sum();
}

}  // namespace seedbed::affinity
