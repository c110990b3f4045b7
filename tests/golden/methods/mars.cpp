// MARS: distances from backgrounds, debiased centroids, and how like them an image's cells are.
#include <ATen/ATen.h>

#include "debiasing.hpp"
#include "runners.hpp"

namespace seedbed::testing {
namespace {

NamedTensors debiasing(const Golden& golden) {
  const at::Tensor foreground_md = golden.input("foreground_centroids"), class_m = golden.input("foreground_class");
  NamedTensors found;
  found["distance"] = mars::background_distances(foreground_md, golden.input("background_centroids"));
  const mars::DebiasedCentroids all = mars::debiased_centroids(
      foreground_md, class_m, found.at("distance"), class_m.max().item<std::int64_t>(), golden.number("alpha"));
  found["centroids"] = all.centroids_cd.index_select(0, all.num_used_c.nonzero().flatten());
  const at::Tensor present = golden.input("present") - 1;
  found["similarity"] = mars::similarity(golden.input("embedding"), all.centroids_cd.index_select(0, present));
  return found;
}

}  // namespace

std::vector<GoldenRunner> mars_runners() {
  return {{"mars", "debiased centroids and similarity map (method notes 10.2, 10.3)", "", debiasing}};
}

}  // namespace seedbed::testing
