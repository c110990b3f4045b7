#include "region_adjacency.hpp"

#include <cmath>
#include <numeric>
#include <utility>

#include <opencv2/core.hpp>

#include "lab_image.hpp"

namespace seedbed::superpixel {
namespace {

constexpr double kLabUnit = 100.0;  // the range of L

double lab_distance(const cv::Vec3f& a, const cv::Vec3f& b) {
  const cv::Vec3f difference = a - b;
  return std::sqrt(static_cast<double>(difference.dot(difference)));
}

}  // namespace

void Border::add(const Border& other) {
  length += other.length;
  similarity += other.similarity;
  gradient += other.gradient;
}

RegionAdjacency::RegionAdjacency(const at::Tensor& image_hwc, const RegionMap& regions, double colour_width)
    : count_(regions.count),
      content_(contents_of(image_hwc, regions)),
      perimeter_(content_.size(), 0),
      borders_(content_.size()),
      merged_into_(content_.size()) {
  std::iota(merged_into_.begin(), merged_into_.end(), std::int32_t{0});
  find_borders(image_hwc, regions, colour_width);
}

void RegionAdjacency::find_borders(const at::Tensor& image_hwc, const RegionMap& regions, double colour_width) {
  const cv::Mat lab = lab_image(image_hwc);
  const auto face = [&](int row, int column, int other_row, int other_column) {
    const std::int32_t region = regions.at(row, column);
    if (other_row < 0 || other_column < 0 || other_row >= lab.rows || other_column >= lab.cols) {
      perimeter_[index(region)] += 1;
      return;
    }
    const std::int32_t other = regions.at(other_row, other_column);
    if (region == other) return;
    const double gradient =
        lab_distance(lab.at<cv::Vec3f>(row, column), lab.at<cv::Vec3f>(other_row, other_column)) / kLabUnit;
    add_border(region, other, gradient, colour_width);
  };
  for (int row = 0; row < lab.rows; ++row) {
    for (int column = 0; column < lab.cols; ++column) {
      if (row == 0) face(row, column, -1, column);
      if (column == 0) face(row, column, row, -1);
      face(row, column, row + 1, column);
      face(row, column, row, column + 1);
    }
  }
}

void RegionAdjacency::add_border(std::int32_t a, std::int32_t b, double gradient, double colour_width) {
  Border& border = borders_[index(a)][b];
  // Every pair of one border begins in the same two superpixels.
  const double alike =
      border.length > 0 ? border.similarity / border.length : similarity(content(a), content(b), colour_width);
  const Border pair{.length = 1, .similarity = alike, .gradient = gradient};
  border.add(pair);
  borders_[index(b)][a].add(pair);
  perimeter_[index(a)] += 1;
  perimeter_[index(b)] += 1;
}

std::int32_t RegionAdjacency::merge(std::int32_t a, std::int32_t b) {
  if (borders(a).size() < borders(b).size()) std::swap(a, b);
  perimeter_[index(a)] += perimeter_[index(b)] - 2 * borders(a).at(b).length;
  content_[index(a)].add(content(b));
  for (const auto& [other, border] : borders(b)) {
    borders_[index(other)].erase(b);
    if (other == a) continue;
    borders_[index(a)][other].add(border);
    borders_[index(other)][a].add(border);
  }
  borders_[index(b)].clear();
  content_[index(b)] = {};
  merged_into_[index(b)] = a;
  --count_;
  return a;
}

RegionMap RegionAdjacency::merged(const RegionMap& regions) const {
  std::vector<std::int32_t> now(merged_into_.size());
  for (std::size_t i = 0; i < now.size(); ++i) {
    now[i] = static_cast<std::int32_t>(i);
    while (merged_into_[index(now[i])] != now[i]) now[i] = merged_into_[index(now[i])];
  }
  std::vector<std::int32_t> numbers = regions.numbers;
  for (std::int32_t& number : numbers) number = now[index(number)];
  return renumbered(regions.height, regions.width, std::move(numbers));
}

}  // namespace seedbed::superpixel
