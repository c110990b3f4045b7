#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "evaluation/result_folder.hpp"
#include "images/decode.hpp"

namespace seedbed::evaluation {

/// One image's label map, [H,W] uint8. Throws: UserError naming the file for colours, other shapes, numbers that are not
/// whole or not in 0..255, and damaged files. Threads: [any-thread].
at::Tensor read_labels(const ResultPlace& place, images::MaskCoding coding);

/// What a label map may hold beside 0..K-1.
enum class VoidLabels {
  ignore,                ///< 255: truth
  ignore_and_undecided,  ///< 255 and 254: predictions
};

/// Throws: UserError naming the file and the values that there is no class for.
void require_labels(const at::Tensor& labels_hw, std::int64_t num_labels, VoidLabels voids, const std::string& where);

}  // namespace seedbed::evaluation
