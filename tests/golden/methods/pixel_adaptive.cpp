#include "seedbed/kernels/pixel_adaptive.hpp"

#include <ATen/ATen.h>

#include "runners.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::testing {
namespace {

NamedTensors refined(const Golden& golden, kernels::PixelAdaptiveOptions options) {
  const at::Tensor images = golden.input("image");
  const at::Tensor planes = kernels::resize_maps(golden.input("planes"), images.size(2), images.size(3), true);
  options.dilations.clear();
  for (const double dilation : golden.numbers("dilations")) {
    options.dilations.push_back(static_cast<std::int64_t>(dilation));
  }
  NamedTensors found;
  for (const double iterations : golden.numbers("iterations")) {
    options.iterations = static_cast<std::int64_t>(iterations);
    found["refined_" + std::to_string(options.iterations)] = kernels::pixel_adaptive_refine(images, planes, options);
  }
  return found;
}

}  // namespace

std::vector<GoldenRunner> pixel_adaptive_runners() {
  return {
      {"pamr", "PAMR", "", [](const Golden& golden) { return refined(golden, kernels::pamr_options()); }},
      {"par", "PAR", "", [](const Golden& golden) { return refined(golden, kernels::par_options()); }},
  };
}

}  // namespace seedbed::testing
