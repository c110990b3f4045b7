#include "region_pooling.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include <ATen/ATen.h>

#include "seedbed/types.hpp"

namespace seedbed::superpixel {
namespace {

// [P, regions] float64.
at::Tensor means_by_region(const at::Tensor& planes_phw, const RegionMap& regions) {
  const at::Tensor planes = planes_phw.to(at::kFloat).contiguous();
  const std::int64_t num_planes = planes.size(0), num_pixels = planes.size(1) * planes.size(2);
  at::Tensor means = at::zeros({num_planes, regions.count}, at::kDouble);
  std::vector<double> areas(static_cast<std::size_t>(regions.count), 0);
  for (const std::int32_t number : regions.numbers) areas[static_cast<std::size_t>(number)] += 1;
  for (std::int64_t plane = 0; plane < num_planes; ++plane) {
    const float* values = planes.data_ptr<float>() + plane * num_pixels;
    double* sums = means.data_ptr<double>() + plane * regions.count;
    for (const std::int32_t number : regions.numbers) sums[number] += *values++;
    for (std::size_t region = 0; region < areas.size(); ++region) sums[region] /= areas[region];
  }
  return means;
}

std::uint8_t vote(const at::Tensor& means_pr, std::int32_t region, const std::vector<std::int64_t>& names,
                  double margin) {
  const auto means = means_pr.accessor<double, 2>();
  double highest = -std::numeric_limits<double>::infinity(), second = highest;
  std::int64_t winner = 0;
  for (std::int64_t plane = 0; plane < means.size(0); ++plane) {
    const double mean = means[plane][region];
    if (mean > highest) {
      second = highest;
      highest = mean;
      winner = plane;
    } else {
      second = std::max(second, mean);
    }
  }
  return static_cast<std::uint8_t>(highest - second < margin ? kIgnoreLabel : names[static_cast<std::size_t>(winner)]);
}

using Votes = std::array<std::int64_t, 256>;

std::vector<Votes> votes_by_region(const std::uint8_t* labels, const RegionMap& regions) {
  std::vector<Votes> votes(static_cast<std::size_t>(regions.count), Votes{});
  for (const std::int32_t number : regions.numbers) ++votes[static_cast<std::size_t>(number)][*labels++];
  return votes;
}

}  // namespace

at::Tensor region_means(const at::Tensor& planes_phw, const RegionMap& regions) {
  const at::Tensor means = means_by_region(planes_phw, regions).to(at::kFloat);
  const at::Tensor numbers = to_tensor(regions).flatten().to(at::kLong);
  return means.index_select(1, numbers).view({planes_phw.size(0), regions.height, regions.width});
}

at::Tensor region_votes(const at::Tensor& planes_phw, const std::vector<std::int64_t>& names, const RegionMap& regions,
                        double margin) {
  const at::Tensor means_pr = means_by_region(planes_phw, regions);
  at::Tensor labels_hw = at::empty({regions.height, regions.width}, at::kByte);
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(regions.count));
  for (std::int32_t region = 0; region < regions.count; ++region) {
    labels[static_cast<std::size_t>(region)] = vote(means_pr, region, names, margin);
  }
  std::ranges::transform(regions.numbers, labels_hw.data_ptr<std::uint8_t>(),
                         [&](std::int32_t number) { return labels[static_cast<std::size_t>(number)]; });
  return labels_hw;
}

at::Tensor region_majority(const at::Tensor& labels_hw, const RegionMap& regions) {
  at::Tensor result_hw = labels_hw.to(at::kCPU).clone(at::MemoryFormat::Contiguous);
  auto* labels = result_hw.data_ptr<std::uint8_t>();
  const std::vector<Votes> votes = votes_by_region(labels, regions);
  for (const std::int32_t number : regions.numbers) {
    const Votes& of_region = votes[static_cast<std::size_t>(number)];
    const auto most = std::max_element(of_region.begin(), of_region.begin() + kUndecidedLabel);
    if (*most > 0) *labels = static_cast<std::uint8_t>(most - of_region.begin());
    ++labels;
  }
  return result_hw;
}

}  // namespace seedbed::superpixel
