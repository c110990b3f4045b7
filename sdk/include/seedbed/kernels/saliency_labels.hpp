#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"

namespace seedbed::kernels {

/// Released values of DRS (Kim, Han and Kim, AAAI 2021; scripts/pseudo_seg_label_gen.py).
struct SaliencyLabelOptions {
  double object_threshold = 0.20;         ///< scores below it count as 0
  double saliency_threshold = 50;         ///< of 0..255; a pixel above it is salient
  double conflict_threshold = 0.9;        ///< planes above it, the background's included, are confident
  std::int64_t conflict_count = 3;        ///< so many confident planes make a pixel ignored; the paper's words say 2
  bool ignore_salient_background = true;  ///< a salient pixel without a confident class is ignored, not background
};

/// Labels of score maps where the background is what is not salient: the highest of [1 - S; scores], S being 1 where a
/// pixel is salient and 0 elsewhere. A score above 1 wins outside of S too; of equal planes the first wins.
///
/// `scores_phw` [P,H,W] float32, its planes' labels in `planes` (no background among them; P may be 0); `saliency_hw`
/// [H,W] uint8. Gives [H,W] uint8: 0, a label of `planes`, or 255.
/// Throws: ContractError for sizes that differ, or a background among the planes. Threads: [any-thread]. Gradient: none.
SEEDBED_API at::Tensor saliency_labels(const at::Tensor& scores_phw, const std::vector<std::int64_t>& planes,
                                       const at::Tensor& saliency_hw, const SaliencyLabelOptions& options = {});

}  // namespace seedbed::kernels
