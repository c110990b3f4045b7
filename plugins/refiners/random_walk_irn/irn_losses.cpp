#include "irn_losses.hpp"

#include <ATen/ATen.h>

namespace seedbed::random_walk_irn {
namespace {

constexpr double kEpsilon = 1e-5;   // below counts, step/train_irn.py
constexpr double kCoordinates = 2;  // a displacement's error is averaged over both

void add_displacement_losses(IrnLosses& losses, const at::Tensor& displacement_n2hw,
                             const std::vector<BoundaryPath>& paths, const kernels::SourceCells& sources,
                             const kernels::PairTargets& targets) {
  const at::Tensor at_source = kernels::at_sources(displacement_n2hw, sources);  // [N,2,S]
  at::Tensor foreground = at_source.new_zeros({}), background = at_source.new_zeros({});
  for (std::size_t o = 0; o < paths.size(); ++o) {  // one offset at a time: all of them are 300 planes for radius 10
    const kernels::CellOffset& offset = paths[o].offset;
    const auto chosen = [&](const at::Tensor& pairs_nos) {
      return pairs_nos.select(1, static_cast<std::int64_t>(o)).unsqueeze(1).to(at_source.scalar_type());
    };
    const at::Tensor difference = at_source - kernels::at_sources(displacement_n2hw, sources, offset);
    const at::Tensor step = at::tensor({offset.dy, offset.dx}, at_source.options()).view({1, 2, 1});
    foreground = foreground + ((difference - step).abs() * chosen(targets.foreground_nos)).sum();
    background = background + (difference.abs() * chosen(targets.background_nos)).sum();
  }
  losses.displacement_foreground = foreground / (kCoordinates * targets.foreground_nos.sum() + kEpsilon);
  losses.displacement_background = background / (kCoordinates * targets.background_nos.sum() + kEpsilon);
}

}  // namespace

IrnLosses irn_losses(const at::Tensor& boundary_nhw, const at::Tensor& displacement_n2hw,
                     const std::vector<BoundaryPath>& paths, const kernels::SourceCells& sources,
                     const kernels::PairTargets& targets) {
  const kernels::AffinityLosses affinity =
      kernels::affinity_losses(affinities_at_sources(boundary_nhw, paths, sources), targets);
  IrnLosses losses{.positive = (affinity.background + affinity.foreground) / 2,
                   .negative = affinity.different,
                   .displacement_foreground = {},
                   .displacement_background = {}};
  if (displacement_n2hw.defined()) add_displacement_losses(losses, displacement_n2hw, paths, sources, targets);
  return losses;
}

}  // namespace seedbed::random_walk_irn
