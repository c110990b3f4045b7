#include "images/augmentation.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <utility>

#include <ATen/ATen.h>

#include "images/colour_jitter.hpp"
#include "images/opencv_resize.hpp"
#include "images/photometric.hpp"
#include "seedbed/error.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::images {
namespace {

using dataset::AugmentationKind;
using dataset::AugmentationStep;
using dataset::CropPlace;
using dataset::Extent;
using dataset::RandomStream;
using dataset::ResizeKind;
using dataset::SideRounding;

constexpr std::int64_t kPaddingLabel = 255;

Extent extent_of(const Sample& sample) { return {sample.image_hwc.size(0), sample.image_hwc.size(1)}; }

// A plane, or planes, with the dimension of its rows and what stands where there is no pixel.
using Change = std::function<at::Tensor(const at::Tensor& planes, std::int64_t row_dim, std::int64_t padding)>;

Sample on_planes(Sample sample, const Change& change) {
  sample.image_hwc = change(sample.image_hwc, 0, 0);
  if (sample.target_hw.defined()) sample.target_hw = change(sample.target_hw, 0, kPaddingLabel);
  for (auto& [name, companion] : sample.companions) {
    const std::int64_t row_dim = companion.values.dim() - 2;
    companion.values = change(companion.values, row_dim, companion.kind == CompanionKind::labels ? kPaddingLabel : 0);
  }
  return sample;
}

Sample flip(Sample sample, const AugmentationStep& step, RandomStream& random) {
  if (random.unit() >= step.values[0]) return sample;
  const std::int64_t width = sample.image_hwc.size(1);
  const PixelBox valid = sample.valid;
  Sample flipped = on_planes(std::move(sample), [](const at::Tensor& planes, std::int64_t row_dim, std::int64_t) {
    return planes.flip({row_dim + 1}).contiguous();
  });
  flipped.valid.left = width - valid.right;
  flipped.valid.right = width - valid.left;
  flipped.columns.offset += flipped.columns.scale * static_cast<double>(width);
  flipped.columns.scale = -flipped.columns.scale;
  return flipped;
}

ResizeKind resize_kind(double value) { return static_cast<ResizeKind>(static_cast<int>(value)); }

Sample scaled_by(const Sample& sample, double factor, double kind, double rounding) {
  const Extent from = extent_of(sample);
  Extent to = dataset::input_extent({}, from, factor);
  if (static_cast<SideRounding>(static_cast<int>(rounding)) == SideRounding::down) {
    const auto side = [factor](std::int64_t pixels) {
      return std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(pixels) * factor));
    };
    to = {side(from.height_px), side(from.width_px)};
  }
  return resize_sample(sample, to, resize_kind(kind));
}

Sample random_scale(const Sample& sample, const AugmentationStep& step, RandomStream& random) {
  const double factor = random.uniform(step.values[0], step.values[1]);
  return scaled_by(sample, factor, step.values[2], step.values[3]);
}

Sample scale_of(const Sample& sample, const AugmentationStep& step, RandomStream& random) {
  constexpr std::size_t first_factor = 2;
  const std::uint64_t choice = random.below(step.values.size() - first_factor);
  return scaled_by(sample, step.values[first_factor + choice], step.values[0], step.values[1]);
}

Sample resize_long(const Sample& sample, const AugmentationStep& step, RandomStream& random) {
  const auto low = static_cast<std::int64_t>(step.values[0]), high = static_cast<std::int64_t>(step.values[1]);
  const std::int64_t side = low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1)));
  return resize_sample(sample, dataset::input_extent({dataset::InputRule::long_side, side}, extent_of(sample)),
                       resize_kind(step.values[2]));
}

// torchvision's rule: the longer side is cut off, not rounded.
Sample resize_short(const Sample& sample, const AugmentationStep& step) {
  const Extent from = extent_of(sample);
  const auto side = static_cast<std::int64_t>(step.values[0]);
  const bool is_wide = from.height_px <= from.width_px;
  const std::int64_t other = side * std::max(from.height_px, from.width_px) / std::min(from.height_px, from.width_px);
  return resize_sample(sample, is_wide ? Extent{side, other} : Extent{other, side}, resize_kind(step.values[1]));
}

Sample resize(const Sample& sample, const AugmentationStep& step) {
  const Extent to{static_cast<std::int64_t>(step.values[0]), static_cast<std::int64_t>(step.values[1])};
  return resize_sample(sample, to, resize_kind(step.values[2]));
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
  Sample cut = on_planes(sample, [&](const at::Tensor& planes, std::int64_t row_dim, std::int64_t padding) {
    std::vector<std::int64_t> shape = planes.sizes().vec();
    shape[static_cast<std::size_t>(row_dim)] = size.height_px;
    shape[static_cast<std::size_t>(row_dim) + 1] = size.width_px;
    at::Tensor result = at::full(shape, padding, planes.options());
    result.narrow(row_dim, y0 - top, rows)
        .narrow(row_dim + 1, x0 - left, columns)
        .copy_(planes.narrow(row_dim, y0, rows).narrow(row_dim + 1, x0, columns));
    return result;
  });
  const auto inside = [](std::int64_t value, std::int64_t side) { return std::clamp<std::int64_t>(value, 0, side); };
  cut.valid = {inside(sample.valid.top - top, size.height_px), inside(sample.valid.left - left, size.width_px),
               inside(sample.valid.bottom - top, size.height_px), inside(sample.valid.right - left, size.width_px)};
  cut.rows.offset += cut.rows.scale * static_cast<double>(top);
  cut.columns.offset += cut.columns.scale * static_cast<double>(left);
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
  return resize_sample(window(sample, box.top, box.left, {box.bottom - box.top, box.right - box.left}), {side, side},
                       resize_kind(step.values[3]));
}

Sample crop(const Sample& sample, const AugmentationStep& step, RandomStream& random) {
  const auto side = static_cast<std::int64_t>(step.values[0]);
  const auto place = static_cast<CropPlace>(static_cast<int>(step.values[1]));
  // Either the window lies at random in the image, or the image in the window.
  const auto offset = [&](std::int64_t length) -> std::int64_t {
    if (length >= side) return draw_offset(random, length - side);
    return place == CropPlace::top_left ? 0 : -draw_offset(random, side - length);
  };
  const Extent image = extent_of(sample);
  const std::int64_t top = offset(image.height_px);
  return window(sample, top, offset(image.width_px), {side, side});
}

// torchvision's rule: halves to even.
Sample center_crop(const Sample& sample, const AugmentationStep& step) {
  const auto side = static_cast<std::int64_t>(step.values[0]);
  const auto offset = [side](std::int64_t length) {
    // A smaller image is padded by half of what is missing, cut off at the upper left.
    if (length < side) return -((side - length) / 2);
    return static_cast<std::int64_t>(std::llrint(static_cast<double>(length - side) / 2));
  };
  const Extent image = extent_of(sample);
  return window(sample, offset(image.height_px), offset(image.width_px), {side, side});
}

// Whether a step with this probability is taken; certainty draws nothing.
bool is_taken(double probability, RandomStream& random) { return probability >= 1 || random.unit() < probability; }

Sample color_jitter(Sample sample, const AugmentationStep& step, RandomStream& random) {
  if (!is_taken(step.values[4], random)) return sample;
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

Sample greyscale(Sample sample, const AugmentationStep& step, RandomStream& random) {
  if (!is_taken(step.values[0], random)) return sample;
  sample.image_hwc = sample.image_hwc.clone();
  make_grey(sample.image_hwc);
  return sample;
}

Sample blur(Sample sample, const AugmentationStep& step, RandomStream& random) {
  if (!is_taken(step.values[2], random)) return sample;
  sample.image_hwc = sample.image_hwc.clone();
  blur_gaussian(sample.image_hwc, random.uniform(step.values[0], step.values[1]));
  return sample;
}

Sample solarised(Sample sample, const AugmentationStep& step, RandomStream& random) {
  if (!is_taken(step.values[0], random)) return sample;
  sample.image_hwc = sample.image_hwc.clone();
  solarise(sample.image_hwc, static_cast<int>(step.values[1]));
  return sample;
}

std::int64_t scaled(std::int64_t edge, std::int64_t from, std::int64_t to) {
  return std::llrint(static_cast<double>(edge) * static_cast<double>(to) / static_cast<double>(from));
}

at::Tensor resized_bytes(const at::Tensor& plane, Extent extent, kernels::ResizeFilter filter) {
  return kernels::resize_image_as_pil(plane, extent.height_px, extent.width_px, filter);
}

at::Tensor resized_image(const at::Tensor& image_hwc, Extent extent, ResizeKind kind) {
  switch (kind) {
    case ResizeKind::bicubic:
      return resized_bytes(image_hwc, extent, kernels::ResizeFilter::bicubic);
    case ResizeKind::bilinear:
      return resized_bytes(image_hwc, extent, kernels::ResizeFilter::bilinear);
    case ResizeKind::bilinear_cv:
      break;
  }
  return resize_image_as_opencv(image_hwc, extent);
}

at::Tensor resized_companion(const Companion& companion, Extent extent) {
  const at::Tensor& values = companion.values;
  if (values.size(-2) == extent.height_px && values.size(-1) == extent.width_px) return values;
  switch (companion.kind) {
    case CompanionKind::grey:
      return resized_bytes(values, extent, kernels::ResizeFilter::bilinear);
    case CompanionKind::labels:
      return resized_bytes(values, extent, kernels::ResizeFilter::nearest);
    case CompanionKind::scores:
      break;
  }
  if (values.size(0) == 0) return values.new_zeros({0, extent.height_px, extent.width_px});
  return at::_upsample_bilinear2d_aa(values.unsqueeze(0), {extent.height_px, extent.width_px}, /*align_corners=*/false)
      .squeeze(0);
}

Sample taken(Sample sample, const AugmentationStep& step, RandomStream& random) {
  switch (step.kind) {
    case AugmentationKind::flip:
      return flip(std::move(sample), step, random);
    case AugmentationKind::random_scale:
      return random_scale(sample, step, random);
    case AugmentationKind::scale_of:
      return scale_of(sample, step, random);
    case AugmentationKind::resize_long:
      return resize_long(sample, step, random);
    case AugmentationKind::resize_short:
      return resize_short(sample, step);
    case AugmentationKind::resize:
      return resize(sample, step);
    case AugmentationKind::random_resized_crop:
      return random_resized_crop(sample, step, random);
    case AugmentationKind::crop:
      return crop(sample, step, random);
    case AugmentationKind::center_crop:
      return center_crop(sample, step);
    case AugmentationKind::color_jitter:
      return color_jitter(std::move(sample), step, random);
    case AugmentationKind::greyscale:
      return greyscale(std::move(sample), step, random);
    case AugmentationKind::blur:
      return blur(std::move(sample), step, random);
    case AugmentationKind::solarise:
      return solarised(std::move(sample), step, random);
  }
  throw ContractError("augmentation", "steps are of a known kind", "one of AugmentationKind", "another");
}

}  // namespace

Sample make_sample(at::Tensor image_hwc, at::Tensor target_hw, std::map<std::string, Companion> companions) {
  Sample sample;
  sample.valid = {0, 0, image_hwc.size(0), image_hwc.size(1)};
  sample.image_hwc = std::move(image_hwc);
  sample.target_hw = std::move(target_hw);
  sample.companions = std::move(companions);
  return sample;
}

Sample resize_sample(const Sample& sample, Extent extent, ResizeKind kind) {
  const Extent from = extent_of(sample);
  Sample result = sample;
  for (auto& [name, companion] : result.companions) companion.values = resized_companion(companion, extent);
  if (from == extent) return result;
  result.image_hwc = resized_image(sample.image_hwc, extent, kind);
  if (sample.target_hw.defined())
    result.target_hw = resized_bytes(sample.target_hw, extent, kernels::ResizeFilter::nearest);
  result.valid = {scaled(sample.valid.top, from.height_px, extent.height_px),
                  scaled(sample.valid.left, from.width_px, extent.width_px),
                  scaled(sample.valid.bottom, from.height_px, extent.height_px),
                  scaled(sample.valid.right, from.width_px, extent.width_px)};
  result.rows.scale *= static_cast<double>(from.height_px) / static_cast<double>(extent.height_px);
  result.columns.scale *= static_cast<double>(from.width_px) / static_cast<double>(extent.width_px);
  return result;
}

Sample augment_sample(Sample sample, const dataset::Augmentation& augmentation, RandomStream& random) {
  for (const AugmentationStep& step : augmentation) sample = taken(std::move(sample), step, random);
  return sample;
}

at::Tensor resize_input(const at::Tensor& image_hwc, const dataset::InputSize& size, double scale) {
  const Extent extent = dataset::input_extent(size, {image_hwc.size(0), image_hwc.size(1)}, scale);
  return resize_sample(make_sample(image_hwc), extent).image_hwc;
}

at::Tensor mirror_image(const at::Tensor& image_hwc) { return image_hwc.flip({1}).contiguous(); }

}  // namespace seedbed::images
