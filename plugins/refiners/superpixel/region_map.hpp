#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace seedbed::superpixel {

/// A partition of an image into regions, which are numbered from 0 in the order in which reading meets them.
struct RegionMap {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int32_t count = 0;
  std::vector<std::int32_t> numbers;  ///< height x width, row by row

  std::int32_t at(std::int64_t row, std::int64_t column) const {
    return numbers[static_cast<std::size_t>(row * width + column)];
  }
};

/// A region map of arbitrary numbers from 0 on, numbered anew. Requires: `numbers` holds height x width.
RegionMap renumbered(std::int64_t height, std::int64_t width, std::vector<std::int32_t> numbers);

/// Of a tensor [H,W] of whole numbers from 0 on, and back ([H,W] int32).
RegionMap region_map_from(const at::Tensor& numbers_hw);
at::Tensor to_tensor(const RegionMap& regions);

}  // namespace seedbed::superpixel
