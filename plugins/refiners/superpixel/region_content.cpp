#include "region_content.hpp"

#include <algorithm>
#include <cmath>

#include <opencv2/imgproc.hpp>

#include "lab_image.hpp"

namespace seedbed::superpixel {
namespace {

// Where Lab values of photographs lie: L in 0..100, a and b around 0.
constexpr std::array<double, kNumChannels> kLowest{0, -100, -100};
constexpr std::array<double, kNumChannels> kRange{100, 200, 200};

std::size_t bin_of(double value, std::size_t channel) {
  const double place = (value - kLowest[channel]) / kRange[channel] * static_cast<double>(kNumBins);
  return static_cast<std::size_t>(std::clamp(place, 0.0, static_cast<double>(kNumBins) - 1));
}

void count_scale(const cv::Mat& lab, const RegionMap& regions, std::size_t scale,
                 std::vector<RegionContent>& contents) {
  for (int row = 0; row < lab.rows; ++row) {
    const auto* colours = lab.ptr<cv::Vec3f>(row);
    for (int column = 0; column < lab.cols; ++column) {
      ScaleContent& content = contents[static_cast<std::size_t>(regions.at(row, column))].scales[scale];
      for (std::size_t channel = 0; channel < kNumChannels; ++channel) {
        const double value = colours[column][static_cast<int>(channel)];
        content.sum[channel] += value;
        content.histogram[channel * kNumBins + bin_of(value, channel)] += 1;
      }
    }
  }
}

double colour_distance(const RegionContent& a, const RegionContent& b, std::size_t scale) {
  double squared = 0;
  for (std::size_t channel = 0; channel < kNumChannels; ++channel) {
    const double difference = a.scales[scale].sum[channel] / a.area - b.scales[scale].sum[channel] / b.area;
    squared += difference * difference;
  }
  return std::sqrt(squared);
}

double intersection(const RegionContent& a, const RegionContent& b, std::size_t scale) {
  double sum = 0;
  for (std::size_t bin = 0; bin < kNumChannels * kNumBins; ++bin) {
    sum += std::min(a.scales[scale].histogram[bin] / a.area, b.scales[scale].histogram[bin] / b.area);
  }
  return sum / static_cast<double>(kNumChannels);
}

}  // namespace

void ScaleContent::add(const ScaleContent& other) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += other.sum[i];
  for (std::size_t i = 0; i < histogram.size(); ++i) histogram[i] += other.histogram[i];
}

void RegionContent::add(const RegionContent& other) {
  area += other.area;
  for (std::size_t i = 0; i < scales.size(); ++i) scales[i].add(other.scales[i]);
}

std::vector<RegionContent> contents_of(const at::Tensor& image_hwc, const RegionMap& regions) {
  std::vector<RegionContent> contents(static_cast<std::size_t>(regions.count));
  for (const std::int32_t number : regions.numbers) contents[static_cast<std::size_t>(number)].area += 1;
  const cv::Mat lab = lab_image(image_hwc);
  for (std::size_t scale = 0; scale < kBlurs.size(); ++scale) {
    cv::Mat blurred = lab;
    if (kBlurs[scale] > 0) cv::GaussianBlur(lab, blurred, {}, kBlurs[scale]);
    count_scale(blurred, regions, scale, contents);
  }
  return contents;
}

double similarity(const RegionContent& a, const RegionContent& b, double colour_width) {
  double sum = 0;
  for (std::size_t scale = 0; scale < kBlurs.size(); ++scale) {
    sum += 0.5 * std::exp(-colour_distance(a, b, scale) / colour_width) + 0.5 * intersection(a, b, scale);
  }
  return sum / static_cast<double>(kBlurs.size());
}

double histogram_distance(const RegionContent& a, const RegionContent& b) {
  double sum = 0;
  for (std::size_t bin = 0; bin < kNumChannels * kNumBins; ++bin) {
    const double p = a.scales[0].histogram[bin] / a.area, q = b.scales[0].histogram[bin] / b.area;
    if (p + q > 0) sum += (p - q) * (p - q) / (p + q);
  }
  return 0.5 * sum / static_cast<double>(kNumChannels);
}

}  // namespace seedbed::superpixel
