#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include <ATen/core/Tensor.h>

#include "region_map.hpp"

namespace seedbed::superpixel {

inline constexpr std::size_t kNumChannels = 3;
inline constexpr std::size_t kNumBins = 8;  // method notes, section 11
/// Blur of the scales at which colours are compared, in pixels: the image, and a smoothed one (ours).
inline constexpr std::array<double, 2> kBlurs{0.0, 2.0};

/// What is inside a region at one scale. Contents of two regions add up to that of their union.
struct ScaleContent {
  std::array<double, kNumChannels> sum{};  ///< of Lab values
  std::array<double, kNumChannels * kNumBins> histogram{};

  void add(const ScaleContent& other);
};

struct RegionContent {
  double area = 0;
  std::array<ScaleContent, kBlurs.size()> scales;

  void add(const RegionContent& other);
};

/// By region. `image_hwc` [H,W,3] uint8 RGB of the regions' size.
std::vector<RegionContent> contents_of(const at::Tensor& image_hwc, const RegionMap& regions);

/// How alike two regions are, 0 to 1: the mean over scales of exp(-|difference of mean Lab colours| / colour_width) and of the
/// histograms' intersection, averaged over the channels.
double similarity(const RegionContent& a, const RegionContent& b, double colour_width);

/// Chi-squared distance of the histograms of the image itself, 0 to 1, averaged over the channels.
double histogram_distance(const RegionContent& a, const RegionContent& b);

}  // namespace seedbed::superpixel
