#include "components.hpp"

#include <algorithm>
#include <functional>

#include <ATen/ATen.h>
#include <opencv2/imgproc.hpp>

namespace seedbed::component_filter {
namespace {

/// Regions of one class: number 0 is everything else.
struct Regions {
  cv::Mat numbers;                  // [H,W] int32
  std::vector<std::int64_t> area;   // by number
  std::vector<int> by_first_pixel;  // numbers in the order in which reading meets them; OpenCV's own order is another
};

Regions regions_of(const at::Tensor& mask_hw, Neighbours neighbours) {
  const at::Tensor bytes = mask_hw.to(at::kByte).contiguous();
  const cv::Mat mask(static_cast<int>(bytes.size(0)), static_cast<int>(bytes.size(1)), CV_8UC1,
                     bytes.data_ptr<std::uint8_t>());
  Regions regions;
  const int count = cv::connectedComponents(mask, regions.numbers, neighbours == Neighbours::sides ? 4 : 8, CV_32S);
  regions.area.assign(static_cast<std::size_t>(count), 0);
  for (int row = 0; row < regions.numbers.rows; ++row) {
    const auto* numbers = regions.numbers.ptr<std::int32_t>(row);
    for (int column = 0; column < regions.numbers.cols; ++column) {
      const std::int32_t number = numbers[column];
      std::int64_t& area = regions.area[static_cast<std::size_t>(number)];
      if (area++ == 0 && number > 0) regions.by_first_pixel.push_back(number);
    }
  }
  return regions;
}

int largest(const Regions& regions) {
  return *std::ranges::max_element(regions.by_first_pixel, {},
                                   [&](int number) { return regions.area[static_cast<std::size_t>(number)]; });
}

std::vector<bool> kept_numbers(const Regions& regions, const ComponentRule& rule) {
  std::vector<bool> kept(regions.area.size(), false);
  const int best = largest(regions);
  for (const int number : regions.by_first_pixel) {
    const auto place = static_cast<std::size_t>(number);
    kept[place] = regions.area[place] >= rule.min_area_px && (!rule.largest_only || number == best);
  }
  return kept;
}

void replace(const Regions& regions, const std::vector<bool>& kept, std::uint8_t replacement, std::uint8_t* labels) {
  for (int row = 0; row < regions.numbers.rows; ++row) {
    const auto* numbers = regions.numbers.ptr<std::int32_t>(row);
    for (int column = 0; column < regions.numbers.cols; ++column, ++labels) {
      if (numbers[column] > 0 && !kept[static_cast<std::size_t>(numbers[column])]) *labels = replacement;
    }
  }
}

}  // namespace

std::vector<std::int64_t> component_areas(const at::Tensor& mask_hw, Neighbours neighbours) {
  Regions regions = regions_of(mask_hw, neighbours);
  std::vector<std::int64_t> areas(regions.area.begin() + 1, regions.area.end());
  std::ranges::sort(areas, std::greater<>());
  return areas;
}

at::Tensor filter_components(const at::Tensor& labels_hw, const ComponentRule& rule) {
  at::Tensor filtered = labels_hw.clone(at::MemoryFormat::Contiguous);
  const at::Tensor counts = at::bincount(labels_hw.flatten(), {}, kIgnoreLabel + 1);
  for (std::int64_t label = kBackgroundLabel + 1; label < kUndecidedLabel; ++label) {
    if (counts[label].item<std::int64_t>() == 0) continue;
    const Regions regions = regions_of(labels_hw.eq(label), rule.neighbours);
    replace(regions, kept_numbers(regions, rule), static_cast<std::uint8_t>(rule.replacement),
            filtered.data_ptr<std::uint8_t>());
  }
  return filtered;
}

}  // namespace seedbed::component_filter
