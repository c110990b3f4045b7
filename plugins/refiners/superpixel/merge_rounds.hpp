#pragma once

#include "region_adjacency.hpp"

namespace seedbed::superpixel {

struct RoundOptions {
  double stop_below = 0.9;     ///< where the falling threshold ends (method notes, section 11)
  double colour_width = 10.0;  ///< as in similarity()
};

/// How ready two neighbours are to merge, 0 to 2: similarity of their contents, plus min(1, sqrt(L (La + Lb) / (La Lb))) times
/// the mean similarity of the superpixels along their border, L being the lengths of border and perimeters.
double readiness(const RegionAdjacency& regions, std::int32_t a, std::int32_t b, double colour_width);

/// Merges in rounds: every region proposes its best neighbour, proposals that are not returned count nine tenths, and each
/// region takes part in one merge a round at most, the best first. A round runs where at least one region in a hundred would
/// merge at the threshold, else the threshold falls (from 2). Control loop and constants: method notes, section 11.
/// Cost: a round looks at every border.
void merge_in_rounds(RegionAdjacency& regions, const RoundOptions& options);

}  // namespace seedbed::superpixel
