#include "seedbed/kernels/cell_pairs.hpp"

#include <algorithm>
#include <string>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"

namespace seedbed::kernels {
namespace {

constexpr double kEpsilon = 1e-5;  // in logarithms and below counts, both releases

at::Tensor average(const at::Tensor& values, const at::Tensor& chosen) {
  const at::Tensor weights = chosen.to(values.scalar_type());
  return (values * weights).sum() / (weights.sum() + kEpsilon);
}

at::Tensor centres(std::int64_t cells, std::int64_t pixels, const at::TensorOptions& options) {
  const double step = static_cast<double>(pixels) / static_cast<double>(cells);
  return ((at::arange(cells, options.dtype(at::kDouble)) + 0.5) * step).floor().to(at::kLong);
}

}  // namespace

std::vector<CellOffset> half_disc(std::int64_t radius) {
  if (radius < 1) {
    throw ContractError("half_disc", "a radius holds at least the cell itself", "at least 1", std::to_string(radius));
  }
  std::vector<CellOffset> offsets;
  for (std::int64_t dy = 0; dy < radius; ++dy) {
    for (std::int64_t dx = dy == 0 ? 1 : 1 - radius; dx < radius; ++dx) {
      if (dy * dy + dx * dx < radius * radius) offsets.push_back({dy, dx});
    }
  }
  return offsets;
}

SourceCells sources_within(std::int64_t height, std::int64_t width, std::int64_t radius) {
  const std::int64_t reach = radius - 1;
  const SourceCells sources{height - reach, reach, width - 2 * reach};
  return sources.rows > 0 && sources.columns > 0 ? sources : SourceCells{};
}

at::Tensor at_sources(const at::Tensor& maps_ndhw, const SourceCells& sources, CellOffset offset) {
  return maps_ndhw.narrow(2, offset.dy, sources.rows).narrow(3, sources.left + offset.dx, sources.columns).flatten(2);
}

PairTargets pair_targets(const at::Tensor& labels_nhw, const std::vector<CellOffset>& offsets,
                         const SourceCells& sources, std::int64_t num_labels) {
  if (!labels_nhw.defined() || labels_nhw.dim() != 3 || labels_nhw.scalar_type() != at::kLong) {
    throw ContractError("pair_targets", "labels are maps of int64", "[N,h,w] int64", "another shape or type");
  }
  const c10::NoGradGuard no_grad;
  const at::Tensor labels = labels_nhw.unsqueeze(1);
  const at::Tensor from = at_sources(labels, sources);  // [N,1,S]
  std::vector<at::Tensor> beside;
  for (const CellOffset& offset : offsets) beside.push_back(at_sources(labels, sources, offset));
  const at::Tensor to = at::cat(beside, 1);  // [N,O,S]
  const auto counts = [&](const at::Tensor& label) { return label.ge(0).logical_and_(label.lt(num_labels)); };
  const at::Tensor valid = counts(from).logical_and(counts(to)), same = from.eq(to).logical_and_(valid);
  return {.background_nos = same.logical_and(to.eq(0)),
          .foreground_nos = same.logical_and(to.ne(0)),
          .different_nos = valid.logical_and(same.logical_not())};
}

AffinityLosses affinity_losses(const at::Tensor& affinities_nos, const PairTargets& targets) {
  if (affinities_nos.sizes() != targets.different_nos.sizes()) {
    throw ContractError("affinity_losses", "affinities and targets are of the same pairs", "one shape", "two");
  }
  const at::Tensor alike = -(affinities_nos + kEpsilon).log();
  return {.background = average(alike, targets.background_nos),
          .foreground = average(alike, targets.foreground_nos),
          .different = average(-(1 + kEpsilon - affinities_nos).log(), targets.different_nos)};
}

at::Tensor labels_at_cells(const at::Tensor& labels_nhw, std::int64_t height, std::int64_t width) {
  return labels_nhw.index_select(1, centres(height, labels_nhw.size(1), labels_nhw.options()))
      .index_select(2, centres(width, labels_nhw.size(2), labels_nhw.options()));
}

}  // namespace seedbed::kernels
