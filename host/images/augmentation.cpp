#include "images/augmentation.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <utility>

#include <ATen/ATen.h>

#include "images/colour_jitter.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::images {
namespace {

using dataset::AugmentationStep;
using dataset::Extent;
using dataset::RandomStream;

constexpr std::int64_t kPaddingLabel = 255;

Extent extent_of(const Sample& sample) { return {sample.image_hwc.size(0), sample.image_hwc.size(1)}; }

Sample on_planes(const Sample& sample,
                 const std::function<at::Tensor(const at::Tensor&, std::int64_t padding)>& change) {
  Sample changed;
  changed.image_hwc = change(sample.image_hwc, 0);
  if (sample.target_hw.defined()) changed.target_hw = change(sample.target_hw, kPaddingLabel);
  for (const auto& [name, plane] : sample.side) changed.side[name] = change(plane, 0);
  changed.valid = sample.valid;
  return changed;
}

Sample flip(Sample sample, const AugmentationStep& step, RandomStream& random) {
  if (random.unit() >= step.values[0]) return sample;
  const std::int64_t width = sample.image_hwc.size(1);
  Sample flipped = on_planes(sample, [](const at::Tensor& plane, std::int64_t) { return mirror_image(plane); });
  flipped.valid.left = width - sample.valid.right;
  flipped.valid.right = width - sample.valid.left;
  return flipped;
}

Sample random_scale(const Sample& sample, const AugmentationStep& step, RandomStream& random) {
  const double factor = random.uniform(step.values[0], step.values[1]);
  return resize_sample(sample, dataset::input_extent({}, extent_of(sample), factor));
}

Sample resize_long(const Sample& sample, const AugmentationStep& step, RandomStream& random) {
  const auto low = static_cast<std::int64_t>(step.values[0]), high = static_cast<std::int64_t>(step.values[1]);
  const std::int64_t side = low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1)));
  return resize_sample(sample, dataset::input_extent({dataset::InputRule::long_side, side}, extent_of(sample)));
}

std::int64_t draw_offset(RandomStream& random, std::int64_t largest) {
  return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(largest + 1)));
}

// A window of `size` of the sample whose upper left corner lies at `top`, `left`; what lies outside is padding.
Sample window(const Sample& sample, std::int64_t top, std::int64_t left, Extent size) {
  const Extent image = extent_of(sample);
  const std::int64_t y0 = std::max<std::int64_t>(0, top), x0 = std::max<std::int64_t>(0, left);
  const std::int64_t rows = std::min(image.height_px, top + size.height_px) - y0;
  const std::int64_t columns = std::min(image.width_px, left + size.width_px) - x0;
  Sample cut = on_planes(sample, [&](const at::Tensor& plane, std::int64_t padding) {
    std::vector<std::int64_t> shape = plane.sizes().vec();
    shape[0] = size.height_px;
    shape[1] = size.width_px;
    at::Tensor result = at::full(shape, padding, at::kByte);
    result.narrow(0, y0 - top, rows)
        .narrow(1, x0 - left, columns)
        .copy_(plane.narrow(0, y0, rows).narrow(1, x0, columns));
    return result;
  });
  const auto inside = [](std::int64_t value, std::int64_t side) { return std::clamp<std::int64_t>(value, 0, side); };
  cut.valid = {inside(sample.valid.top - top, size.height_px), inside(sample.valid.left - left, size.width_px),
               inside(sample.valid.bottom - top, size.height_px), inside(sample.valid.right - left, size.width_px)};
  return cut;
}

// torchvision's rule: ten draws of area and ratio; else the largest centred window of a legal ratio.
PixelBox draw_window(Extent image, double low, double high, RandomStream& random) {
  constexpr double narrowest = 3.0 / 4.0, widest = 4.0 / 3.0;
  const auto height = static_cast<double>(image.height_px), width = static_cast<double>(image.width_px);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = height * width * random.uniform(low, high);
    const double ratio = std::exp(random.uniform(std::log(narrowest), std::log(widest)));
    const std::int64_t columns = std::llrint(std::sqrt(area * ratio)), rows = std::llrint(std::sqrt(area / ratio));
    if (columns < 1 || rows < 1 || columns > image.width_px || rows > image.height_px) continue;
    const std::int64_t top = draw_offset(random, image.height_px - rows);
    const std::int64_t left = draw_offset(random, image.width_px - columns);
    return {top, left, top + rows, left + columns};
  }
  const double ratio = std::clamp(width / height, narrowest, widest);
  const std::int64_t columns = std::min<std::int64_t>(image.width_px, std::llrint(height * ratio));
  const std::int64_t rows = std::min<std::int64_t>(image.height_px, std::llrint(width / ratio));
  const std::int64_t top = (image.height_px - rows) / 2, left = (image.width_px - columns) / 2;
  return {top, left, top + rows, left + columns};
}

Sample random_resized_crop(const Sample& sample, const AugmentationStep& step, RandomStream& random) {
  const auto side = static_cast<std::int64_t>(step.values[0]);
  const PixelBox box = draw_window(extent_of(sample), step.values[1], step.values[2], random);
  return resize_sample(window(sample, box.top, box.left, {box.bottom - box.top, box.right - box.left}), {side, side});
}

Sample crop(const Sample& sample, const AugmentationStep& step, RandomStream& random) {
  const auto side = static_cast<std::int64_t>(step.values[0]);
  // Either the window lies at random in the image, or the image in the window.
  const auto offset = [&](std::int64_t length) {
    return length >= side ? draw_offset(random, length - side) : -draw_offset(random, side - length);
  };
  const Extent image = extent_of(sample);
  const std::int64_t top = offset(image.height_px);
  return window(sample, top, offset(image.width_px), {side, side});
}

Sample color_jitter(Sample sample, const AugmentationStep& step, RandomStream& random) {
  std::array<std::size_t, 4> order{0, 1, 2, 3};
  for (std::size_t i = 3; i > 0; --i) std::swap(order[i], order[random.below(i + 1)]);
  std::array<double, 4> amount{};
  for (std::size_t i = 0; i < 3; ++i) amount[i] = random.uniform(std::max(0.0, 1 - step.values[i]), 1 + step.values[i]);
  amount[3] = random.uniform(-step.values[3], step.values[3]);
  constexpr std::array adjust{adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue};
  sample.image_hwc = sample.image_hwc.clone();
  for (std::size_t kind : order)
    if (step.values[kind] > 0) adjust[kind](sample.image_hwc, amount[kind]);
  return sample;
}

std::int64_t scaled(std::int64_t edge, std::int64_t from, std::int64_t to) {
  return std::llrint(static_cast<double>(edge) * static_cast<double>(to) / static_cast<double>(from));
}

}  // namespace

Sample make_sample(at::Tensor image_hwc, at::Tensor target_hw, std::map<std::string, at::Tensor> side) {
  const PixelBox whole{0, 0, image_hwc.size(0), image_hwc.size(1)};
  return {std::move(image_hwc), std::move(target_hw), std::move(side), whole};
}

Sample resize_sample(const Sample& sample, Extent extent) {
  using kernels::ResizeFilter;
  const Extent from = extent_of(sample);
  if (from == extent) return sample;
  const auto resized = [&](const at::Tensor& plane, ResizeFilter filter) {
    return kernels::resize_image_as_pil(plane, extent.height_px, extent.width_px, filter);
  };
  Sample result;
  result.image_hwc = resized(sample.image_hwc, ResizeFilter::bicubic);
  if (sample.target_hw.defined()) result.target_hw = resized(sample.target_hw, ResizeFilter::nearest);
  for (const auto& [name, plane] : sample.side) result.side[name] = resized(plane, ResizeFilter::bilinear);
  result.valid = {scaled(sample.valid.top, from.height_px, extent.height_px),
                  scaled(sample.valid.left, from.width_px, extent.width_px),
                  scaled(sample.valid.bottom, from.height_px, extent.height_px),
                  scaled(sample.valid.right, from.width_px, extent.width_px)};
  return result;
}

Sample augment_sample(Sample sample, const dataset::Augmentation& augmentation, RandomStream& random) {
  for (const AugmentationStep& step : augmentation) {
    switch (step.kind) {
      case dataset::AugmentationKind::flip:
        sample = flip(std::move(sample), step, random);
        break;
      case dataset::AugmentationKind::random_scale:
        sample = random_scale(sample, step, random);
        break;
      case dataset::AugmentationKind::resize_long:
        sample = resize_long(sample, step, random);
        break;
      case dataset::AugmentationKind::random_resized_crop:
        sample = random_resized_crop(sample, step, random);
        break;
      case dataset::AugmentationKind::crop:
        sample = crop(sample, step, random);
        break;
      case dataset::AugmentationKind::color_jitter:
        sample = color_jitter(std::move(sample), step, random);
        break;
    }
  }
  return sample;
}

at::Tensor resize_input(const at::Tensor& image_hwc, const dataset::InputSize& size, double scale) {
  const Extent extent = dataset::input_extent(size, {image_hwc.size(0), image_hwc.size(1)}, scale);
  return resize_sample(make_sample(image_hwc), extent).image_hwc;
}

at::Tensor mirror_image(const at::Tensor& image_hwc) { return image_hwc.flip({1}).contiguous(); }

}  // namespace seedbed::images
