#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "region_map.hpp"

namespace seedbed::superpixel {

/// Every pixel of planes [P,H,W] float32 takes the mean of its region. Threads: [any-thread], as all of these.
at::Tensor region_means(const at::Tensor& planes_phw, const RegionMap& regions);

/// Labels [H,W] uint8: each region takes the plane with the highest mean, the first of equal ones; `names` are the planes'
/// labels. Regions in which the second highest mean is less than `margin` below are 255.
at::Tensor region_votes(const at::Tensor& planes_phw, const std::vector<std::int64_t>& names, const RegionMap& regions,
                        double margin);

/// Labels [H,W] uint8: each region takes the label that most of its pixels have, the lowest of equal ones. Pixels of 254 and 255
/// have no vote, and stay so in a region where nobody has one.
at::Tensor region_majority(const at::Tensor& labels_hw, const RegionMap& regions);

}  // namespace seedbed::superpixel
