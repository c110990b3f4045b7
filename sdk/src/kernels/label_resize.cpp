#include "seedbed/kernels/label_resize.hpp"

#include <cmath>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "nearest_positions.hpp"
#include "seedbed/error.hpp"

namespace seedbed::kernels {
namespace {

// PyTorch computes the position in float32.
std::vector<std::int64_t> origin_positions(std::int64_t from, std::int64_t to) {
  const float scale = static_cast<float>(from) / static_cast<float>(to);
  std::vector<std::int64_t> positions;
  for (std::int64_t i = 0; i < to; ++i) {
    positions.push_back(std::min(static_cast<std::int64_t>(std::floor(static_cast<float>(i) * scale)), from - 1));
  }
  return positions;
}

std::vector<std::int64_t> corner_positions(std::int64_t from, std::int64_t to) {
  const double scale = to > 1 ? static_cast<double>(from - 1) / static_cast<double>(to - 1) : 0.0;
  std::vector<std::int64_t> positions;
  for (std::int64_t i = 0; i < to; ++i) positions.push_back(std::lround(static_cast<double>(i) * scale));
  return positions;
}

at::Tensor positions_of(LabelSampling sampling, std::int64_t from, std::int64_t to, at::Device device) {
  const std::vector<std::int64_t> positions = sampling == LabelSampling::centres   ? nearest_positions(from, to)
                                              : sampling == LabelSampling::origins ? origin_positions(from, to)
                                                                                   : corner_positions(from, to);
  return at::tensor(positions, at::kLong).to(device);
}

}  // namespace

at::Tensor resize_labels(const at::Tensor& labels_nhw, std::int64_t height, std::int64_t width,
                         LabelSampling sampling) {
  if (!labels_nhw.defined() || labels_nhw.dim() != 3) {
    throw ContractError("resize_labels", "label maps are [N,H,W]", "three dimensions",
                        labels_nhw.defined() ? "`" + std::to_string(labels_nhw.dim()) + "`" : "no tensor");
  }
  if (height < 1 || width < 1 || labels_nhw.size(1) < 1 || labels_nhw.size(2) < 1) {
    throw UserError(
        "",
        "labels cannot be resized to or from nothing: `" + std::to_string(height) + " x " + std::to_string(width) + "`",
        "at least one cell on each side");
  }
  if (labels_nhw.size(1) == height && labels_nhw.size(2) == width) return labels_nhw;
  const at::Device device = labels_nhw.device();
  return labels_nhw.index_select(1, positions_of(sampling, labels_nhw.size(1), height, device))
      .index_select(2, positions_of(sampling, labels_nhw.size(2), width, device));
}

}  // namespace seedbed::kernels
