#include "evaluation/label_file.hpp"

#include <array>
#include <string>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/types.hpp"
#include "weights/npy.hpp"

namespace seedbed::evaluation {
namespace {

constexpr const char* kHint = "A label map is [H,W], whole numbers from 0 to 255.";

at::Tensor stored(const ResultPlace& place) {
  return place.open ? place.open->tensor(place.tensor) : weights::read_npy(place.file);
}

std::string shape_of(const at::Tensor& tensor) {
  std::string text;
  for (const std::int64_t side : tensor.sizes()) text += (text.empty() ? "" : ",") + std::to_string(side);
  return "[" + text + "]";
}

at::Tensor as_bytes(const at::Tensor& values, const std::string& where) {
  const at::Tensor labels = values.dim() == 3 && values.size(0) == 1 ? values[0] : values;
  if (labels.dim() != 2 || labels.numel() == 0)
    throw UserError(where, "This is no label map: its shape is `" + shape_of(values) + "`.", kHint);
  if (labels.is_floating_point() || labels.is_complex())
    throw UserError(where, "This is no label map: its numbers are not whole ones.", kHint);
  if (labels.scalar_type() == at::kByte || labels.scalar_type() == at::kBool) return labels.to(at::kByte).contiguous();
  const at::Tensor wide = labels.to(at::kLong);
  const auto smallest = wide.min().item<std::int64_t>(), largest = wide.max().item<std::int64_t>();
  if (smallest < 0 || largest > kIgnoreLabel)
    throw UserError(
        where,
        "A label map holds a number that is no label: `" + std::to_string(smallest < 0 ? smallest : largest) + "`.",
        "Labels are 0 to 253, 254 is undecided and 255 void.");
  return wide.to(at::kByte).contiguous();
}

}  // namespace

at::Tensor read_labels(const ResultPlace& place, images::MaskCoding coding) {
  if (place.file.extension() == ".png") return images::decode_mask_values(place.file, coding);
  return as_bytes(stored(place), place.where());
}

void require_labels(const at::Tensor& labels_hw, std::int64_t num_labels, VoidLabels voids, const std::string& where) {
  std::array<bool, 256> seen{};
  const at::Tensor labels = labels_hw.contiguous();
  const auto* label = labels.const_data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < labels.numel(); ++i) seen[label[i]] = true;
  const std::int64_t last = voids == VoidLabels::ignore ? kIgnoreLabel : kUndecidedLabel;
  std::string unknown;
  for (std::int64_t value = num_labels; value < last; ++value)
    if (seen[static_cast<std::size_t>(value)]) unknown += (unknown.empty() ? "`" : ", `") + std::to_string(value) + "`";
  if (unknown.empty()) return;
  throw UserError(where, "A label map holds labels that there is no class for: " + unknown + ".",
                  "There are " + std::to_string(num_labels) + " labels, 0 to " + std::to_string(num_labels - 1) +
                      ", and 255 is void; `--classes` names others.");
}

}  // namespace seedbed::evaluation
