#include <ATen/ATen.h>

#include "runners.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::testing {
namespace {

/// The image at every scale of the entry: PIL's bicubic filter, sizes rounded half to even.
std::vector<at::Tensor> pyramid(const Golden& golden) {
  const at::Tensor image = golden.input("image");
  std::vector<at::Tensor> images;
  for (const double scale : golden.numbers("scales")) {
    images.push_back(kernels::resize_image_as_pil(
        image, kernels::round_half_even(static_cast<double>(image.size(0)) * scale),
        kernels::round_half_even(static_cast<double>(image.size(1)) * scale), kernels::ResizeFilter::bicubic));
  }
  return images;
}

NamedTensors named_by_scale(const std::vector<at::Tensor>& images) {
  NamedTensors named;
  for (std::size_t i = 0; i < images.size(); ++i) named["scale_" + std::to_string(i)] = images[i];
  return named;
}

NamedTensors normalised_pyramid(const Golden& golden) {
  std::vector<at::Tensor> images = pyramid(golden);
  for (at::Tensor& image : images) image = normalise_images(image.unsqueeze(0), Normalisation{})[0];
  return named_by_scale(images);
}

}  // namespace

std::vector<GoldenRunner> image_pyramid_runners() {
  return {
      {"cam", "VOC12ClassificationDatasetMSF.__getitem__", "jiwoon-ahn/irn", normalised_pyramid},
      {"cam", "VOC12ClsDatasetMSF.__getitem__", "jiwoon-ahn/psa",
       [](const Golden& golden) { return named_by_scale(pyramid(golden)); }},
  };
}

}  // namespace seedbed::testing
