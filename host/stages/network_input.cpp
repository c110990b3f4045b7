#include "stages/network_input.hpp"

#include <ATen/ATen.h>

#include "images/augmentation.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::stages {
namespace {

std::int64_t up_to_multiple(std::int64_t size, std::int64_t multiple) {
  return (size + multiple - 1) / multiple * multiple;
}

View view_of(const at::Tensor& image_hwc, const std::string& image_id, double scale, bool flipped) {
  View view;
  view.image_id = image_id;
  view.image_height_px = image_hwc.size(0);
  view.image_width_px = image_hwc.size(1);
  view.scale = scale;
  view.flipped = flipped;
  view.covered = {0, 0, static_cast<double>(image_hwc.size(0)), static_cast<double>(image_hwc.size(1))};
  return view;
}

}  // namespace

PyramidSettings pyramid_settings_from(const nlohmann::ordered_json& table) {
  PyramidSettings settings;
  settings.scales = table.value("scales", settings.scales);
  settings.flip = table.value("flip", false);
  settings.input = dataset::input_size_from(table.value("input", "native"));
  settings.precision = fit::precision_from(table, "precision");
  return settings;
}

NetworkInput network_input(const at::Tensor& image_hwc, const std::string& image_id, double scale,
                           const PyramidSettings& settings, const Normalisation& normalisation,
                           std::int64_t size_multiple_px) {
  const at::Tensor resized = images::resize_input(image_hwc, settings.input, scale);
  NetworkInput input;
  std::vector<at::Tensor> images{resized};
  input.views.push_back(view_of(image_hwc, image_id, scale, false));
  if (settings.flip) {
    images.push_back(images::mirror_image(resized));
    input.views.push_back(view_of(image_hwc, image_id, scale, true));
  }
  input.images_raw_nhwc = at::stack(images);
  input.images_nchw = normalise_images(input.images_raw_nhwc, normalisation);
  fill_up(input, size_multiple_px);
  return input;
}

void fill_up(NetworkInput& input, std::int64_t multiple_px) {
  const std::int64_t height = input.images_nchw.size(2);
  const std::int64_t width = input.images_nchw.size(3);
  const std::int64_t padded_height = up_to_multiple(height, multiple_px);
  const std::int64_t padded_width = up_to_multiple(width, multiple_px);
  if (padded_height == height && padded_width == width) return;
  input.images_nchw = at::constant_pad_nd(input.images_nchw, {0, padded_width - width, 0, padded_height - height});
  input.images_raw_nhwc =
      at::constant_pad_nd(input.images_raw_nhwc, {0, 0, 0, padded_width - width, 0, padded_height - height});
  for (View& view : input.views) {
    view.covered.bottom *= static_cast<double>(padded_height) / static_cast<double>(height);
    view.covered.right *= static_cast<double>(padded_width) / static_cast<double>(width);
  }
}

at::Tensor side_companion(dataset::SideKind kind, const at::Tensor& side_hw) {
  const at::Tensor plane = side_hw.view({1, 1, side_hw.size(0), side_hw.size(1)});
  return kind == dataset::SideKind::labels ? plane.to(at::kLong) : plane.to(at::kFloat).div_(255.0);
}

at::Tensor side_input(dataset::SideKind kind, const at::Tensor& side_hw, const NetworkInput& input) {
  const auto filter =
      kind == dataset::SideKind::labels ? kernels::ResizeFilter::nearest : kernels::ResizeFilter::bilinear;
  const at::Tensor scaled =
      kernels::resize_image_as_pil(side_hw, input.images_nchw.size(2), input.images_nchw.size(3), filter);
  const at::Tensor plane = side_companion(kind, scaled);
  std::vector<at::Tensor> planes;
  for (const View& view : input.views) planes.push_back(view.flipped ? plane.flip(3) : plane);
  return at::cat(planes);
}

}  // namespace seedbed::stages
