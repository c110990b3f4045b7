#include "seedbed/kernels/resize.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "nearest_positions.hpp"
#include "seedbed/error.hpp"

// Follows Pillow's src/libImaging/Resample.c (8 bits per channel) and Geometry.c (nearest) step by step: every
// intermediate rounding is part of the result.
namespace seedbed::kernels {
namespace {

constexpr int kPrecisionBits = 32 - 8 - 2;
constexpr std::int32_t kHalf = 1 << (kPrecisionBits - 1);

double triangle(double x) { return std::max(0.0, 1.0 - std::abs(x)); }

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

/// For each output position: where its window starts, how long it is, and its weights.
struct Windows {
  std::int64_t longest = 0;
  std::vector<std::int64_t> first, length;
  std::vector<std::int32_t> weights;  // [size][longest], fixed point

  const std::int32_t* weights_of(std::int64_t i) const { return weights.data() + i * longest; }
};

Windows windows(std::int64_t from, std::int64_t to, ResizeFilter filter) {
  const auto kernel = filter == ResizeFilter::bicubic ? cubic : triangle;
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double filter_scale = std::max(scale, 1.0);  // shrinking widens the filter: antialiasing
  const double support = (filter == ResizeFilter::bicubic ? 2.0 : 1.0) * filter_scale;

  Windows result;
  result.longest = static_cast<std::int64_t>(std::ceil(support)) * 2 + 1;
  result.weights.assign(static_cast<std::size_t>(to * result.longest), 0);
  std::vector<double> exact(static_cast<std::size_t>(result.longest));
  for (std::int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(centre - support + 0.5));
    const auto last = std::min(from, static_cast<std::int64_t>(centre + support + 0.5));
    const double inverse = 1.0 / filter_scale;
    double sum = 0.0;
    for (std::int64_t k = 0; k < last - first; ++k) {
      exact[static_cast<std::size_t>(k)] = kernel((static_cast<double>(k + first) - centre + 0.5) * inverse);
      sum += exact[static_cast<std::size_t>(k)];
    }
    for (std::int64_t k = 0; k < last - first; ++k) {
      const double weight = sum != 0.0 ? exact[static_cast<std::size_t>(k)] / sum : exact[static_cast<std::size_t>(k)];
      result.weights[static_cast<std::size_t>(i * result.longest + k)] =
          static_cast<std::int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << kPrecisionBits));
    }
    result.first.push_back(first);
    result.length.push_back(last - first);
  }
  return result;
}

std::uint8_t clipped(std::int32_t sum) { return static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255)); }

at::Tensor resized_horizontally(const at::Tensor& image_hwc, std::int64_t width, ResizeFilter filter) {
  const std::int64_t height = image_hwc.size(0), channels = image_hwc.size(2), row = image_hwc.size(1) * channels;
  const Windows plan = windows(image_hwc.size(1), width, filter);
  at::Tensor result = at::empty({height, width, channels}, at::kByte);
  const std::uint8_t* source = image_hwc.const_data_ptr<std::uint8_t>();
  std::uint8_t* target = result.mutable_data_ptr<std::uint8_t>();
  at::parallel_for(0, height, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t y = begin; y < end; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        const std::uint8_t* window = source + y * row + plan.first[x] * channels;
        const std::int32_t* weights = plan.weights_of(x);
        for (std::int64_t c = 0; c < channels; ++c) {
          std::int32_t sum = kHalf;
          for (std::int64_t k = 0; k < plan.length[x]; ++k) sum += window[k * channels + c] * weights[k];
          target[(y * width + x) * channels + c] = clipped(sum);
        }
      }
    }
  });
  return result;
}

at::Tensor resized_vertically(const at::Tensor& image_hwc, std::int64_t height, ResizeFilter filter) {
  const std::int64_t width = image_hwc.size(1), channels = image_hwc.size(2), row = width * channels;
  const Windows plan = windows(image_hwc.size(0), height, filter);
  at::Tensor result = at::empty({height, width, channels}, at::kByte);
  const std::uint8_t* source = image_hwc.const_data_ptr<std::uint8_t>();
  std::uint8_t* target = result.mutable_data_ptr<std::uint8_t>();
  at::parallel_for(0, height, 16, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::int32_t> sums(static_cast<std::size_t>(row));
    for (std::int64_t y = begin; y < end; ++y) {
      std::fill(sums.begin(), sums.end(), kHalf);
      for (std::int64_t k = 0; k < plan.length[y]; ++k) {
        const std::uint8_t* line = source + (plan.first[y] + k) * row;
        const std::int32_t weight = plan.weights_of(y)[k];
        for (std::int64_t i = 0; i < row; ++i) sums[i] += line[i] * weight;
      }
      for (std::int64_t i = 0; i < row; ++i) target[y * row + i] = clipped(sums[i]);
    }
  });
  return result;
}

at::Tensor resized_nearest(const at::Tensor& image_hwc, std::int64_t height, std::int64_t width) {
  const auto rows = nearest_positions(image_hwc.size(0), height), columns = nearest_positions(image_hwc.size(1), width);
  const auto index = [](const std::vector<std::int64_t>& values) { return at::tensor(values, at::kLong); };
  return image_hwc.index_select(0, index(rows)).index_select(1, index(columns));
}

}  // namespace

at::Tensor resize_image_as_pil(const at::Tensor& image_hwc, std::int64_t height_px, std::int64_t width_px,
                               ResizeFilter filter) {
  if (!image_hwc.defined() || image_hwc.scalar_type() != at::kByte || image_hwc.dim() < 2 || image_hwc.dim() > 3) {
    throw ContractError("resize_image_as_pil", "an image is [H,W] or [H,W,channels] uint8", "such a tensor", "another");
  }
  if (height_px < 1 || width_px < 1 || image_hwc.numel() == 0) {
    throw UserError("",
                    "an image cannot be resized to or from nothing: `" + std::to_string(image_hwc.size(0)) + " x " +
                        std::to_string(image_hwc.size(1)) + "` to `" + std::to_string(height_px) + " x " +
                        std::to_string(width_px) + "`",
                    "at least one pixel on each side");
  }
  at::Tensor image = (image_hwc.dim() == 2 ? image_hwc.unsqueeze(2) : image_hwc).contiguous();
  if (filter == ResizeFilter::nearest) {
    image = resized_nearest(image, height_px, width_px);
  } else {
    if (image.size(1) != width_px) image = resized_horizontally(image, width_px, filter);
    if (image.size(0) != height_px) image = resized_vertically(image, height_px, filter);
  }
  return image_hwc.dim() == 2 ? image.squeeze(2) : image;
}

at::Tensor resize_maps(const at::Tensor& maps, std::int64_t height, std::int64_t width, bool align_corners) {
  if (maps.size(-2) == height && maps.size(-1) == width) return maps;
  if (height < 1 || width < 1 || maps.numel() == 0) {
    throw UserError(
        "",
        "maps cannot be resized to or from nothing: `" + std::to_string(height) + " x " + std::to_string(width) + "`",
        "at least one cell on each side");
  }
  std::vector<std::int64_t> shape = maps.sizes().vec();
  const at::Tensor planes = maps.reshape({1, -1, maps.size(-2), maps.size(-1)});
  *(shape.end() - 2) = height;
  *(shape.end() - 1) = width;
  return at::upsample_bilinear2d(planes, {height, width}, align_corners).reshape(shape);
}

std::int64_t round_half_even(double value) {
  const double lower = std::floor(value);
  const double rest = value - lower;
  const auto whole = static_cast<std::int64_t>(lower);
  if (rest != 0.5) return rest < 0.5 ? whole : whole + 1;
  return whole % 2 == 0 ? whole : whole + 1;
}

}  // namespace seedbed::kernels
