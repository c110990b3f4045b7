#include "seedbed/kernels/position_table.hpp"

#include <array>
#include <cmath>
#include <utility>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::kernels {
namespace {

constexpr std::array<std::pair<std::string_view, PositionRule>, 9> kRules{
    {{"timm", PositionRule::timm},
     {"timm_no_antialias", PositionRule::timm_no_antialias},
     {"dino", PositionRule::dino},
     {"mctformer", PositionRule::mctformer},
     {"toco", PositionRule::toco},
     {"bilinear", PositionRule::bilinear},
     {"clip_es", PositionRule::clip_es},
     {"sclip", PositionRule::sclip},
     {"open_clip", PositionRule::open_clip}}};

// DINO's nudge, meant to keep floor(native * factor) from falling short of the grid.
constexpr double kNudge = 0.1;

std::string shown(std::int64_t height, std::int64_t width) {
  return "`" + std::to_string(height) + " x " + std::to_string(width) + "`";
}

std::int64_t native_side(std::int64_t cells) {
  const auto side = std::llround(std::sqrt(static_cast<double>(cells)));
  if (cells < 1 || side * side != cells) {
    throw ContractError("position table", "the cells of a table form a square", "a square number",
                        "`" + std::to_string(cells) + "`");
  }
  return side;
}

bool is_left_alone(PositionRule rule, std::int64_t native, std::int64_t height, std::int64_t width) {
  const bool same_count = height * width == native * native;
  switch (rule) {
    case PositionRule::timm:
    case PositionRule::timm_no_antialias:
    case PositionRule::dino:
    case PositionRule::mctformer:
      return same_count && height == width;
    case PositionRule::sclip:
    case PositionRule::open_clip:
      return same_count;
    case PositionRule::toco:
    case PositionRule::bilinear:
    case PositionRule::clip_es:
      break;
  }
  return false;
}

at::Tensor by_factor(const at::Tensor& cells_1dhw, std::int64_t height, std::int64_t width, double nudge) {
  const std::int64_t native = cells_1dhw.size(2);
  const auto factor = [&](std::int64_t side) {
    const double value = (static_cast<double>(side) + nudge) / static_cast<double>(native);
    if (static_cast<std::int64_t>(std::floor(static_cast<double>(native) * value)) != side) {
      throw UserError("",
                      "the position table cannot be fitted by the plain ratio: " + std::to_string(native) +
                          " cells to `" + std::to_string(side) + "`",
                      "another input size, or position_table = \"dino\"");
    }
    return value;
  };
  return at::upsample_bicubic2d(cells_1dhw, {height, width}, /*align_corners=*/false, factor(height), factor(width));
}

at::Tensor resampled(const at::Tensor& cells_1dhw, std::int64_t height, std::int64_t width, PositionRule rule) {
  const std::array<std::int64_t, 2> size{height, width};
  switch (rule) {
    case PositionRule::timm:
    case PositionRule::open_clip:
      return at::_upsample_bicubic2d_aa(cells_1dhw, size, /*align_corners=*/false);
    case PositionRule::timm_no_antialias:
    case PositionRule::toco:
      return at::upsample_bicubic2d(cells_1dhw, size, /*align_corners=*/false);
    case PositionRule::dino:
    case PositionRule::sclip:
      return by_factor(cells_1dhw, height, width, kNudge);
    case PositionRule::mctformer:
      return by_factor(cells_1dhw, height, width, 0);
    case PositionRule::bilinear:
    case PositionRule::clip_es:
      return at::upsample_bilinear2d(cells_1dhw, size, /*align_corners=*/false);
  }
  throw ContractError("position table", "a rule is one of the enumeration", "a rule", "another value");
}

}  // namespace

PositionRule position_rule_from(std::string_view name) {
  for (const auto& [known, rule] : kRules) {
    if (known == name) return rule;
  }
  const std::string nearest = nearest_name(name, position_rule_names());
  throw UserError("position_table", "there is no such rule: `" + std::string(name) + "`",
                  nearest.empty() ? "`timm`, `dino`, `toco` ..." : "nearest: `" + nearest + "`");
}

const std::vector<std::string>& position_rule_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& [name, rule] : kRules) all.emplace_back(name);
    return all;
  }();
  return names;
}

at::Tensor resample_position_table(const at::Tensor& table_1ld, std::int64_t prefix, std::int64_t height,
                                   std::int64_t width, PositionRule rule) {
  if (height < 1 || width < 1) {
    throw ContractError("position table", "a grid is not empty", "at least 1 x 1", shown(height, width));
  }
  const std::int64_t native = native_side(table_1ld.size(1) - prefix);
  at::Tensor table = table_1ld;
  if (!is_left_alone(rule, native, height, width)) {
    const std::int64_t d = table_1ld.size(2);
    const at::Tensor cells_1dhw = table_1ld.slice(1, prefix).reshape({1, native, native, d}).permute({0, 3, 1, 2});
    const at::Tensor fitted = resampled(cells_1dhw, height, width, rule).permute({0, 2, 3, 1}).reshape({1, -1, d});
    table = prefix == 0 ? fitted : at::cat({table_1ld.slice(1, 0, prefix), fitted}, 1);
  }
  return rule == PositionRule::clip_es ? table.to(at::kHalf).to(table_1ld.scalar_type()) : table;
}

}  // namespace seedbed::kernels
