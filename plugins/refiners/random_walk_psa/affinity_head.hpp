#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "seedbed/kernels/cell_pairs.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/module.hpp"

/// AffinityNet's features and what they say of pairs of cells (Ahn and Kwak, CVPR 2018, section 3.2).
namespace seedbed::random_walk_psa {

/// Taps reduced, put side by side and mixed; ELU behind each. Parameters: tap_1.weight ..., norm_1.* ..., mix.weight.
class AffinityHead : public Module {
 public:
  /// One width a tap of `channels`; group norms of eight channels a group with `grouped`.
  AffinityHead(const std::vector<std::int64_t>& channels, const std::vector<std::int64_t>& widths, bool grouped,
               const at::Generator& generator);

  /// features, one a tap -> [N,D,h,w], D the sum of the widths, at the first one's size (half-pixel centres).
  at::Tensor forward(const std::vector<at::Tensor>& features) const;

 private:
  std::vector<std::shared_ptr<Conv2d>> reductions_;
  std::vector<std::shared_ptr<GroupNorm>> norms_;
  std::shared_ptr<Conv2d> mix_;
};

/// exp(-mean |f_i - f_j|) of the sources' pairs: features [N,D,h,w] -> [N,O,S]. Keeps the graph.
/// Cost: with gradients N O S D floats, as the release; without, N S D.
at::Tensor affinities_at_sources(const at::Tensor& features_ndhw, const std::vector<kernels::CellOffset>& offsets,
                                 const kernels::SourceCells& sources);

/// The same of all pairs in one map, features [D,h,w] -> [O,h,w] as kernels::random_walk() reads them; 0 where a pair leaves
/// the map, and unless `all_pairs` where its source is not among sources_within(radius). Gradient: none.
at::Tensor affinities_between(const at::Tensor& features_dhw, std::int64_t radius, bool all_pairs);

}  // namespace seedbed::random_walk_psa
