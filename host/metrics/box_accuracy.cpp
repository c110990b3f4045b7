#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include <ATen/ATen.h>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "metrics/localisation.hpp"
#include "seedbed/error.hpp"
#include "seedbed/types.hpp"

namespace seedbed::metrics {
namespace {

// The map in 8 bits: values are truncated, not rounded.
cv::Mat in_eight_bits(const at::Tensor& map_hw) {
  const at::Tensor map = map_hw.contiguous();
  cv::Mat bytes(static_cast<int>(map.size(0)), static_cast<int>(map.size(1)), CV_8UC1);
  const auto* value = map.const_data_ptr<float>();
  for (std::int64_t i = 0; i < map.numel(); ++i) {
    if (!(value[i] >= 0 && value[i] <= 1))
      throw UserError("", "A map holds a value outside [0,1]: `" + std::to_string(value[i]) + "`.",
                      "Maps are localised after they are normalised.");
    bytes.data[i] = static_cast<std::uint8_t>(255.0 * static_cast<double>(value[i]));
  }
  return bytes;
}

Box published_box(const std::vector<cv::Point>& contour, const cv::Mat& image) {
  const cv::Rect rectangle = cv::boundingRect(contour);
  return {rectangle.x, rectangle.y, std::min(rectangle.x + rectangle.width, image.cols - 1),
          std::min(rectangle.y + rectangle.height, image.rows - 1)};
}

double best_overlap(const Box& box, const std::vector<Box>& truth) {
  double best = 0;
  for (const Box& other : truth) best = std::max(best, box_iou(box, other));
  return best;
}

/// The best overlap with a true box at one threshold.
struct Overlaps {
  double of_largest = 0;
  double of_any = 0;
};

Overlaps overlaps_above(const cv::Mat& bytes, int threshold, const std::vector<Box>& truth) {
  const cv::Mat foreground = bytes > threshold;
  std::vector<std::vector<cv::Point>> contours;
  cv::findContours(foreground, contours, cv::RETR_TREE, cv::CHAIN_APPROX_SIMPLE);
  if (contours.empty()) {
    const double overlap = best_overlap({}, truth);
    return {overlap, overlap};
  }
  Overlaps overlaps;
  double largest_area = -1;
  for (const auto& contour : contours) {
    const double overlap = best_overlap(published_box(contour, bytes), truth);
    overlaps.of_any = std::max(overlaps.of_any, overlap);
    if (const double area = cv::contourArea(contour); area > largest_area) {
      largest_area = area;
      overlaps.of_largest = overlap;
    }
  }
  return overlaps;
}

}  // namespace

double box_iou(const Box& a, const Box& b) {
  const auto side = [](std::int64_t low, std::int64_t high) {
    return static_cast<double>(std::max<std::int64_t>(0, high - low + 1));
  };
  const double shared = side(std::max(a.left, b.left), std::min(a.right, b.right)) *
                        side(std::max(a.top, b.top), std::min(a.bottom, b.bottom));
  const double both = side(a.left, a.right) * side(a.top, a.bottom) + side(b.left, b.right) * side(b.top, b.bottom);
  return shared / (both - shared);
}

std::vector<Box> boxes_of_objects(const at::Tensor& instances_hw, const at::Tensor& mask_hw, std::int64_t label) {
  if (instances_hw.sizes() != mask_hw.sizes() || instances_hw.scalar_type() != at::kByte ||
      mask_hw.scalar_type() != at::kByte)
    throw ContractError("boxes_of_objects", "instances and mask are label maps of one size", mask_hw.toString(),
                        instances_hw.toString());
  const at::Tensor instances = instances_hw.contiguous(), mask = mask_hw.contiguous();
  const auto* number = instances.const_data_ptr<std::uint8_t>();
  const auto* of_pixel = mask.const_data_ptr<std::uint8_t>();
  const std::int64_t width = instances.size(1);
  struct Object {
    Box box;
    std::array<std::int64_t, 256> pixels{};
  };
  std::map<std::uint8_t, Object> objects;
  for (std::int64_t i = 0; i < instances.numel(); ++i) {
    if (number[i] == 0 || number[i] == kIgnoreLabel) continue;
    const std::int64_t y = i / width, x = i % width;
    const auto [found, is_new] = objects.try_emplace(number[i]);
    Box& box = found->second.box;
    if (is_new) box = {x, y, x, y};
    box = {std::min(box.left, x), std::min(box.top, y), std::max(box.right, x), std::max(box.bottom, y)};
    ++found->second.pixels[of_pixel[i]];
  }
  std::vector<Box> boxes;
  for (const auto& [ignored, object] : objects) {
    // Background and void inside an object do not name it.
    const auto first = object.pixels.begin() + 1;
    const auto most = std::max_element(first, object.pixels.end() - 1);
    if (*most > 0 && 1 + (most - first) == label) boxes.push_back(object.box);
  }
  return boxes;
}

BoxAccuracy::BoxAccuracy(std::vector<double> overlaps)
    : overlaps_(std::move(overlaps)), largest_(overlaps_.size()), any_(overlaps_.size()) {
  for (const double overlap : overlaps_) {
    if (!(overlap > 0 && overlap <= 1))
      throw UserError("", "An overlap of boxes is not in (0,1]: `" + std::to_string(overlap) + "`.", "");
  }
}

// Many of the hundred thresholds truncate to one byte; each byte's contours are followed once.
void BoxAccuracy::add(const at::Tensor& map_hw, const std::vector<Box>& truth) {
  if (map_hw.dim() != 2 || map_hw.numel() == 0 || map_hw.scalar_type() != at::kFloat)
    throw ContractError("BoxAccuracy", "a map is [H,W] float32 and not empty", "[H,W]", map_hw.toString());
  const cv::Mat bytes = in_eight_bits(map_hw);
  double largest = 0;
  cv::minMaxLoc(bytes, nullptr, &largest);
  std::map<int, Overlaps> known;
  for (std::size_t t = 0; t < kNumMapThresholds; ++t) {
    const auto threshold = static_cast<int>(static_cast<double>(t) / 100 * largest);
    auto found = known.find(threshold);
    if (found == known.end()) found = known.emplace(threshold, overlaps_above(bytes, threshold, truth)).first;
    for (std::size_t i = 0; i < overlaps_.size(); ++i) {
      largest_[i][t] += found->second.of_largest >= overlaps_[i] ? 1 : 0;
      any_[i][t] += found->second.of_any >= overlaps_[i] ? 1 : 0;
    }
  }
  ++num_maps_;
}

BoxAccuracy& BoxAccuracy::operator+=(const BoxAccuracy& other) {
  for (std::size_t i = 0; i < overlaps_.size(); ++i)
    for (std::size_t t = 0; t < kNumMapThresholds; ++t) {
      largest_[i][t] += other.largest_.at(i)[t];
      any_[i][t] += other.any_.at(i)[t];
    }
  num_maps_ += other.num_maps_;
  return *this;
}

const std::array<std::int64_t, kNumMapThresholds>& BoxAccuracy::correct(Contours contours, std::size_t overlap) const {
  return (contours == Contours::largest ? largest_ : any_).at(overlap);
}

std::optional<double> BoxAccuracy::best(Contours contours, std::size_t overlap) const {
  if (num_maps_ == 0) return std::nullopt;
  return static_cast<double>(std::ranges::max(correct(contours, overlap))) / static_cast<double>(num_maps_);
}

std::optional<double> BoxAccuracy::mean_best(Contours contours) const {
  if (num_maps_ == 0 || overlaps_.empty()) return std::nullopt;
  double sum = 0;
  for (std::size_t i = 0; i < overlaps_.size(); ++i) sum += best(contours, i).value_or(0);
  return sum / static_cast<double>(overlaps_.size());
}

}  // namespace seedbed::metrics
