#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include <ATen/core/Tensor.h>

#include "region_content.hpp"
#include "region_map.hpp"

namespace seedbed::superpixel {

/// What two regions have in common: sums over the pairs of pixels that face each other across their border. Those of two
/// borders with one region add up.
struct Border {
  double length = 0;      ///< pairs
  double similarity = 0;  ///< of the two superpixels that each pair first belonged to
  double gradient = 0;    ///< Lab distance of each pair over 100

  void add(const Border& other);
};

/// Regions of an image, what is inside of them, and which lie beside each other. Merging takes the smaller region's neighbours
/// over, so all merges together are O(E log E).
class RegionAdjacency {
 public:
  /// `image_hwc` [H,W,3] uint8 RGB; `colour_width` as in similarity().
  RegionAdjacency(const at::Tensor& image_hwc, const RegionMap& regions, double colour_width);

  std::int32_t count() const { return count_; }  ///< of regions that are left
  bool is_left(std::int32_t region) const { return content_[index(region)].area > 0; }
  std::int32_t capacity() const { return static_cast<std::int32_t>(content_.size()); }
  const RegionContent& content(std::int32_t region) const { return content_[index(region)]; }
  double perimeter(std::int32_t region) const { return perimeter_[index(region)]; }  ///< the image's edge included
  const std::map<std::int32_t, Border>& borders(std::int32_t region) const { return borders_[index(region)]; }

  /// Requires: two different regions that are left and lie beside each other. Gives the one that is left of them.
  std::int32_t merge(std::int32_t a, std::int32_t b);

  /// The superpixels of `regions`, which the adjacency was made of, as the regions that they are now.
  RegionMap merged(const RegionMap& regions) const;

 private:
  static std::size_t index(std::int32_t region) { return static_cast<std::size_t>(region); }
  void add_border(std::int32_t a, std::int32_t b, double gradient, double colour_width);
  void find_borders(const at::Tensor& image_hwc, const RegionMap& regions, double colour_width);

  std::int32_t count_;
  std::vector<RegionContent> content_;
  std::vector<double> perimeter_;
  std::vector<std::map<std::int32_t, Border>> borders_;
  std::vector<std::int32_t> merged_into_;
};

}  // namespace seedbed::superpixel
