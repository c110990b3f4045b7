#include "vit_weights.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>

#include <ATen/ATen.h>

namespace seedbed::vit {
namespace {

constexpr std::string_view kFirstWeight = "patch_embed.proj.weight";

// What stands before the network's own names: "module.", "teacher.backbone.", "module.encoder." ...
std::string prefix_of(const NamedTensors& tensors) {
  if (tensors.contains(std::string(kFirstWeight))) return "";
  for (const auto& [name, tensor] : tensors) {
    if (name.ends_with("." + std::string(kFirstWeight))) return name.substr(0, name.size() - kFirstWeight.size());
  }
  return "";
}

// DINOv2's training files keep blocks in chunks, "blocks.1.7.norm1.weight", where 7 counts through all of them.
std::string without_chunk(const std::string& name) {
  constexpr std::string_view kBlocks = "blocks.";
  if (!name.starts_with(kBlocks)) return name;
  const auto first = name.find('.', kBlocks.size());
  if (first == std::string::npos) return name;
  const auto second = name.find('.', first + 1);
  if (second == std::string::npos) return name;
  const std::string_view between = std::string_view(name).substr(first + 1, second - first - 1);
  const bool number = std::ranges::all_of(between, [](char c) { return c >= '0' && c <= '9'; });
  return number ? std::string(kBlocks) + name.substr(first + 1) : name;
}

bool is_table(const at::Tensor& tensor) { return tensor.dim() == 3 && tensor.size(0) == 1; }

void repeat_class_token(NamedTensors& tensors, const WeightLayout& layout) {
  const auto token = tensors.find("cls_token");
  if (token == tensors.end() || !is_table(token->second) || token->second.size(1) != 1) return;
  token->second = token->second.expand({1, layout.class_tokens, -1});
}

// A table's cells on another square grid, each repeated (MCTformer+ starts 28 x 28 from 14 x 14).
at::Tensor repeated_cells(const at::Tensor& cells_1ld, std::int64_t side) {
  const auto own = std::llround(std::sqrt(static_cast<double>(cells_1ld.size(1))));
  if (own == side || own * own != cells_1ld.size(1)) return cells_1ld;
  const at::Tensor map = cells_1ld.reshape({1, own, own, -1}).permute({0, 3, 1, 2});
  return at::upsample_nearest2d(map, {side, side}).permute({0, 2, 3, 1}).reshape({1, side * side, -1});
}

void fit_joint_table(NamedTensors& tensors, const WeightLayout& layout) {
  const auto table = tensors.find("pos_embed");
  if (table == tensors.end() || !is_table(table->second)) return;
  const std::int64_t cells = layout.table_grid * layout.table_grid;
  const std::int64_t prefix = table->second.size(1) - cells;
  const at::Tensor rows = table->second;
  if (prefix == 0) {  // timm's networks with registers add the class token's position to the token itself
    table->second = at::cat({at::zeros({1, layout.positioned_prefix, rows.size(2)}, rows.options()), rows}, 1);
  } else if (prefix == 1 && layout.class_tokens > 1) {
    table->second = at::cat({rows.slice(1, 0, 1).expand({1, layout.class_tokens, -1}), rows.slice(1, 1)}, 1);
  }
}

void split_table(NamedTensors& tensors, const WeightLayout& layout) {
  const auto table = tensors.find("pos_embed");
  if (table == tensors.end()) return;
  if (is_table(table->second) && !tensors.contains("pos_embed_cls") && !tensors.contains("pos_embed_pat")) {
    const at::Tensor rows = table->second;
    tensors["pos_embed_cls"] = rows.slice(1, 0, 1).expand({1, layout.class_tokens, -1});
    tensors["pos_embed_pat"] = repeated_cells(rows.slice(1, 1), layout.table_grid);
  }
  tensors.erase("pos_embed");
}

}  // namespace

NamedTensors renamed_weights(const NamedTensors& tensors, const WeightLayout& layout) {
  const std::string prefix = prefix_of(tensors);
  NamedTensors renamed;
  for (const auto& [name, tensor] : tensors) {
    if (!name.starts_with(prefix)) continue;
    const std::string own = without_chunk(name.substr(prefix.size()));
    renamed[own == "reg_token" ? "register_tokens" : own] = tensor;
  }
  renamed.erase("mask_token");
  if (!layout.final_norm) {
    renamed.erase("norm.weight");
    renamed.erase("norm.bias");
  }
  repeat_class_token(renamed, layout);
  layout.separate_tables ? split_table(renamed, layout) : fit_joint_table(renamed, layout);
  return renamed;
}

}  // namespace seedbed::vit
