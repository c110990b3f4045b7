#pragma once

#include <cstdint>

#include "seedbed/types.hpp"

namespace seedbed::vit {

/// What a file's tensors must become.
struct WeightLayout {
  std::int64_t class_tokens = 1;
  std::int64_t positioned_prefix = 1;  ///< rows of the joint table before the cells
  std::int64_t table_grid = 14;
  bool separate_tables = false;
  bool final_norm = true;
};

/// Reference names and shapes as this network's: prefixes in front of `patch_embed.proj.weight` go, with all that lies
/// outside them; `reg_token` is `register_tokens`; blocks in chunks are counted through; one class token and its row of the
/// table serve all; a table without rows for class tokens gets zeros; DINOv2's `mask_token`, and what a network without
/// final norm or with separate tables does not use, is left out.
NamedTensors renamed_weights(const NamedTensors& tensors, const WeightLayout& layout);

}  // namespace seedbed::vit
