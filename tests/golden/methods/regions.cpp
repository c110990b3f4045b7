// Refiners that look at regions of images and labels: superpixels, GrabCut, connected components.
#include <string>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "class_trimap.hpp"
#include "components.hpp"
#include "region_pooling.hpp"
#include "runners.hpp"
#include "seedbed/kernels/resize.hpp"
#include "seeded_cut.hpp"

namespace seedbed::testing {
namespace {

NamedTensors component_filter_outputs(const Golden& golden) {
  using namespace component_filter;
  const at::Tensor labels_hw = golden.input("labels");
  NamedTensors found;
  for (const Neighbours neighbours : {Neighbours::sides, Neighbours::sides_and_corners}) {
    const std::string suffix = neighbours == Neighbours::sides ? "_c4" : "_c8";
    for (const double area : golden.numbers("min_area")) {
      const auto smallest = static_cast<std::int64_t>(area);
      found["min" + std::to_string(smallest) + suffix] =
          filter_components(labels_hw, {.min_area_px = smallest, .neighbours = neighbours});
    }
    found["largest" + suffix] = filter_components(labels_hw, {.largest_only = true, .neighbours = neighbours});
    found["component_sizes_class2" + suffix] = at::tensor(component_areas(labels_hw.eq(2), neighbours), at::kLong);
  }
  return found;
}

// With the background as the first plane.
at::Tensor planes_of(const Golden& golden) {
  const at::Tensor image_hwc = golden.input("image");
  const at::Tensor cams =
      kernels::resize_maps(golden.input("cams_low"), image_hwc.size(0), image_hwc.size(1), false).clamp(0, 1);
  return at::cat({at::full_like(cams.slice(0, 0, 1), golden.number("background")), cams});
}

NamedTensors superpixel_outputs(const Golden& golden) {
  const at::Tensor planes_phw = planes_of(golden);
  NamedTensors found;
  for (const std::string segments : {"slic", "felzenszwalb"}) {
    const superpixel::RegionMap regions = superpixel::region_map_from(golden.input("segments_" + segments));
    const at::Tensor pooled_chw = superpixel::region_means(planes_phw.slice(0, 1), regions);
    found["pooled_" + segments] = pooled_chw.slice(1, 0, regions.height, 2).slice(2, 0, regions.width, 2).contiguous();
    found["vote_" + segments] = superpixel::region_votes(planes_phw, {0, 1, 2, 3}, regions, golden.number("margin"));
    found["majority_" + segments] = superpixel::region_majority(planes_phw.argmax(0).to(at::kByte), regions);
  }
  return found;
}

NamedTensors grabcut_outputs(const Golden& golden) {
  const at::Tensor image_hwc = golden.input("image");
  const at::Tensor cam_hw =
      kernels::resize_maps(golden.input("cam_low"), image_hwc.size(0), image_hwc.size(1), false)[0].clamp(0, 1);
  const std::vector<double> thresholds = golden.numbers("thresholds");
  const at::Tensor trimap_hw = grabcut::trimap_of(cam_hw, {thresholds[0], thresholds[1], thresholds[2]});
  EXPECT_TRUE(at::equal(trimap_hw, golden.input("trimap")));
  NamedTensors found;
  for (const std::int64_t iterations : {1, 5}) {
    const std::string suffix = "_" + std::to_string(iterations);
    found["mask" + suffix] = grabcut::seeded_cut(image_hwc, trimap_hw, iterations);
    found["foreground" + suffix] = grabcut::is_object(found.at("mask" + suffix)).to(at::kByte);
  }
  const double beta = 1.0 / (2.0 * grabcut::neighbour_contrast(image_hwc));
  found["beta"] = at::full({1}, beta, at::kFloat);
  return found;
}

}  // namespace

std::vector<GoldenRunner> region_runners() {
  return {
      {"component_filter", "connected components per class, small ones become background", "",
       component_filter_outputs},
      {"superpixel", "region mean, vote with margin, majority label", "", superpixel_outputs},
      {"grabcut", "cv2.grabCut", "", grabcut_outputs},
  };
}

}  // namespace seedbed::testing
