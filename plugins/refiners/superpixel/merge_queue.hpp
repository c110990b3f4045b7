#pragma once

#include "region_adjacency.hpp"

namespace seedbed::superpixel {

struct QueueOptions {
  double stop_above = 0.25;      ///< distance at which merging ends (ours)
  std::int32_t min_regions = 1;  ///< so does the number of regions
};

/// (1 - b) chi-squared distance of the regions' Lab histograms + b mean gradient along their border, b = border / shorter
/// perimeter: 0 to about 1 (this project's reduction of Chaibou et al.).
double distance(const RegionAdjacency& regions, std::int32_t a, std::int32_t b);

/// Merges the nearest two neighbours of the whole image, again and again. Cost: O(E log E); entries of the heap whose regions
/// have changed since are passed over.
void merge_by_distance(RegionAdjacency& regions, const QueueOptions& options);

}  // namespace seedbed::superpixel
