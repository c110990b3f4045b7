#include "propagation.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"

namespace seedbed::attention_affinity {
namespace {

constexpr double kLevels = 255.0;
constexpr double kScaleEpsilon = 1e-7;  // scale_cam_image

struct Box {
  std::int64_t top, left, bottom, right;  // both ends included
};

/// The box of the component that `seed` belongs to; its cells are cleared.
Box take_component(std::vector<char>& stands_out, std::int64_t height, std::int64_t width, std::int64_t seed) {
  Box box{height, width, -1, -1};
  std::vector<std::int64_t> open{seed};
  stands_out[static_cast<std::size_t>(seed)] = 0;
  while (!open.empty()) {
    const std::int64_t y = open.back() / width, x = open.back() % width;
    open.pop_back();
    box = {std::min(box.top, y), std::min(box.left, x), std::max(box.bottom, y), std::max(box.right, x)};
    for (std::int64_t ny = std::max<std::int64_t>(0, y - 1); ny <= std::min(height - 1, y + 1); ++ny) {
      for (std::int64_t nx = std::max<std::int64_t>(0, x - 1); nx <= std::min(width - 1, x + 1); ++nx) {
        char& cell = stands_out[static_cast<std::size_t>(ny * width + nx)];
        if (cell) open.push_back(ny * width + nx);
        cell = 0;
      }
    }
  }
  return box;
}

}  // namespace

at::Tensor balanced(const at::Tensor& attention_mm, std::int64_t rounds, std::int64_t squarings) {
  const c10::NoGradGuard no_grad;
  at::Tensor matrix = attention_mm;
  for (std::int64_t i = 0; i < rounds; ++i) {
    matrix = matrix / matrix.sum(0, /*keepdim=*/true);
    matrix = matrix / matrix.sum(1, /*keepdim=*/true);
  }
  matrix = (matrix + matrix.t()) / 2;
  for (std::int64_t i = 0; i < squarings; ++i) matrix = matrix.matmul(matrix);
  return matrix;
}

at::Tensor evidence_boxes(const at::Tensor& map_hw, double threshold, std::string_view rule) {
  if (rule != "reference" && rule != "inclusive") {
    throw ContractError("evidence_boxes", "the rule of boxes is known", "`reference` or `inclusive`",
                        std::string(rule));
  }
  const c10::NoGradGuard no_grad;
  const std::int64_t height = map_hw.size(0), width = map_hw.size(1);
  const at::Tensor levels = (map_hw.cpu() * kLevels).floor();
  const double limit = std::floor(threshold * levels.max().item<double>());
  const at::Tensor above = levels.gt(limit).contiguous();
  const bool* first = above.const_data_ptr<bool>();
  std::vector<char> stands_out(first, first + above.numel());
  at::Tensor mask = at::zeros({height, width}, at::kBool);
  for (std::int64_t seed = 0; seed < height * width; ++seed) {
    if (!stands_out[static_cast<std::size_t>(seed)]) continue;
    const Box box = take_component(stands_out, height, width, seed);
    const bool whole = rule == "inclusive";
    const std::int64_t bottom = whole ? box.bottom + 1 : std::min(box.bottom + 1, height - 1);
    const std::int64_t right = whole ? box.right + 1 : std::min(box.right + 1, width - 1);
    mask.slice(0, box.top, bottom).slice(1, box.left, right).fill_(true);
  }
  return mask.to(map_hw.device());
}

at::Tensor scaled(const at::Tensor& maps_phw) {
  const c10::NoGradGuard no_grad;
  const at::Tensor shifted = maps_phw - maps_phw.amin({1, 2}, /*keepdim=*/true);
  return shifted / (kScaleEpsilon + shifted.amax({1, 2}, /*keepdim=*/true));
}

at::Tensor gathered(const at::Tensor& maps_phw, const at::Tensor& transition_mm) {
  const c10::NoGradGuard no_grad;
  return maps_phw.flatten(1).matmul(transition_mm.t()).view_as(maps_phw);
}

at::Tensor window(std::int64_t height, std::int64_t width, std::int64_t radius) {
  const at::Tensor rows = at::arange(height, at::kLong).repeat_interleave(width);
  const at::Tensor columns = at::arange(width, at::kLong).repeat({height});
  const auto near = [radius](const at::Tensor& place) {
    return (place.unsqueeze(0) - place.unsqueeze(1)).abs().le(radius);
  };
  return near(rows).logical_and(near(columns)).to(at::kFloat);
}

at::Tensor windowed(const at::Tensor& affinity_mm, std::int64_t height, std::int64_t width, std::int64_t radius,
                    double exponent, double epsilon) {
  const c10::NoGradGuard no_grad;
  at::Tensor near = affinity_mm;
  if (radius > 0) near = near * window(height, width, radius).to(affinity_mm.device());
  const at::Tensor powers = near.pow(exponent);
  return powers / (powers.sum(0, /*keepdim=*/true) + epsilon);
}

at::Tensor distributed(const at::Tensor& maps_phw, const at::Tensor& transition_mm) {
  const c10::NoGradGuard no_grad;
  return maps_phw.flatten(1).matmul(transition_mm).view_as(maps_phw);
}

}  // namespace seedbed::attention_affinity
