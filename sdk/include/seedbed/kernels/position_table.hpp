#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"

namespace seedbed::kernels {

/// How an image transformer fits its learned position table to another grid: published networks differ, on one table by
/// more than half of its values' spread. All sample at half-pixel centres; where nothing else is said, the native grid is
/// left alone and any other one is not.
enum class PositionRule {
  timm,               ///< bicubic with antialias to the exact grid; timm, and DINOv2 with registers
  timm_no_antialias,  ///< the same without antialias
  dino,       ///< bicubic by the factor (grid + 0.1) / native, which also moves the samples; DINO, DINOv2, MCTformer V2
  mctformer,  ///< bicubic by the plain factor grid / native; MCTformer+
  toco,       ///< bicubic without antialias to the exact grid, on the native one too; ToCo
  bilinear,   ///< bilinear to the exact grid, on the native one too
  clip_es,    ///< the same, then the whole table rounded to float16; CLIP-ES, also where the network is float32
  sclip,      ///< as dino, but left alone wherever the number of cells is the native one (7 x 28 for 14 x 14)
  open_clip,  ///< as timm, left alone as sclip does
};

/// Throws: UserError with the nearest name.
SEEDBED_API PositionRule position_rule_from(std::string_view name);

SEEDBED_API const std::vector<std::string>& position_rule_names();

/// `table_1ld` [1, prefix + native * native, D] -> [1, prefix + height * width, D]; the first `prefix` rows belong to tokens
/// that see no cell and are kept as they are. Keeps the graph. Threads: [any-thread].
/// Throws: UserError where the rule cannot meet the grid (mctformer: floating point falls short of 61 cells from 14);
/// ContractError for a table whose cells form no square, or an empty grid.
SEEDBED_API at::Tensor resample_position_table(const at::Tensor& table_1ld, std::int64_t prefix, std::int64_t height,
                                               std::int64_t width, PositionRule rule);

}  // namespace seedbed::kernels
