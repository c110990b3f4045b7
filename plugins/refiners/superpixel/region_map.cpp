#include "region_map.hpp"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>

namespace seedbed::superpixel {

RegionMap renumbered(std::int64_t height, std::int64_t width, std::vector<std::int32_t> numbers) {
  RegionMap regions{.height = height, .width = width, .count = 0, .numbers = std::move(numbers)};
  if (regions.numbers.empty()) return regions;
  const std::int32_t largest = *std::ranges::max_element(regions.numbers);
  std::vector<std::int32_t> names(static_cast<std::size_t>(largest) + 1, -1);
  for (std::int32_t& number : regions.numbers) {
    std::int32_t& name = names[static_cast<std::size_t>(number)];
    if (name < 0) name = regions.count++;
    number = name;
  }
  return regions;
}

RegionMap region_map_from(const at::Tensor& numbers_hw) {
  const at::Tensor numbers = numbers_hw.to(at::kCPU, at::kInt).contiguous();
  const auto* first = numbers.data_ptr<std::int32_t>();
  return renumbered(numbers.size(0), numbers.size(1), {first, first + numbers.numel()});
}

at::Tensor to_tensor(const RegionMap& regions) {
  return at::tensor(regions.numbers, at::kInt).view({regions.height, regions.width});
}

}  // namespace seedbed::superpixel
