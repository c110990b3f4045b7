#include "attention_fusion.hpp"

#include <algorithm>
#include <string>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::usage_inferred {
namespace {

std::string export_of(std::int64_t block) { return "block." + std::to_string(block) + ".soft"; }

}  // namespace

AttentionPlan attention_plan(const Backbone& backbone) {
  AttentionBlockPlan blocks;
  blocks.exports = {"soft"};
  blocks.head_reduction = "mean";
  for (const TapInfo& tap : backbone.taps()) {
    if (tap.name.starts_with("block.")) blocks.blocks.push_back(static_cast<std::int64_t>(blocks.blocks.size()));
  }
  AttentionPlan plan;
  plan.blocks = {blocks};
  return plan;
}

at::Tensor fuse_attention(const at::Tensor& maps_nchw, const NamedTensors& attention, const TokenLayout& layout,
                          const AttentionFusion& fusion) {
  const auto num_blocks = static_cast<std::int64_t>(attention.size());
  at::Tensor fused = maps_nchw;
  if (fusion.rule != "none") {
    if (layout.class_tokens != maps_nchw.size(1)) {
      throw UserError("attention_fusion",
                      "each class needs a class token: `" + std::to_string(maps_nchw.size(1)) + "` classes, `" +
                          std::to_string(layout.class_tokens) + "` tokens",
                      "the backbone's class_tokens, or attention_fusion = \"none\"");
    }
    at::Tensor class_to_cell;  // [N,C,h w]
    for (std::int64_t i = std::max<std::int64_t>(0, num_blocks - fusion.layers); i < num_blocks; ++i) {
      const at::Tensor part = attention.at(export_of(i)).slice(1, 0, layout.class_tokens).slice(2, layout.prefix());
      class_to_cell = class_to_cell.defined() ? class_to_cell + part : part;
    }
    fused = maps_nchw.relu() * class_to_cell.view_as(maps_nchw);
    if (fusion.rule == "root_product") fused = fused.sqrt();
  }
  if (!fusion.cell_affinity) return fused;
  at::Tensor cell_to_cell;  // [N,h w,h w], rows ask
  for (std::int64_t i = 0; i < num_blocks; ++i) {
    const at::Tensor part = attention.at(export_of(i)).slice(1, layout.prefix()).slice(2, layout.prefix());
    cell_to_cell = cell_to_cell.defined() ? cell_to_cell + part : part;
  }
  return fused.flatten(2).matmul(cell_to_cell.transpose(1, 2)).view_as(maps_nchw);
}

}  // namespace seedbed::usage_inferred
