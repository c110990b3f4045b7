#include "images/box_map.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

namespace seedbed::images {
namespace {

// The first pixel whose middle is not before `edge`.
std::int64_t first_pixel(double edge, std::int64_t size) {
  return static_cast<std::int64_t>(std::clamp(std::ceil(edge - 0.5), 0.0, static_cast<double>(size)));
}

}  // namespace

at::Tensor box_map(const std::vector<dataset::Box>& boxes, std::int64_t height_px, std::int64_t width_px) {
  std::vector<dataset::Box> order = boxes;
  const auto area = [](const dataset::Box& box) { return (box.right - box.left) * (box.bottom - box.top); };
  std::ranges::stable_sort(order, [&](const dataset::Box& a, const dataset::Box& b) {
    return a.crowd != b.crowd ? a.crowd : area(a) > area(b);
  });
  at::Tensor map_hw = at::zeros({height_px, width_px}, at::kByte);
  for (const dataset::Box& box : order) {
    const std::int64_t top = first_pixel(box.top, height_px), bottom = first_pixel(box.bottom, height_px);
    const std::int64_t left = first_pixel(box.left, width_px), right = first_pixel(box.right, width_px);
    if (top >= bottom || left >= right) continue;
    map_hw.slice(0, top, bottom).slice(1, left, right).fill_(box.crowd ? 255 : box.label);
  }
  return map_hw;
}

}  // namespace seedbed::images
