#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/module.hpp"

namespace seedbed::label_correction {

/// Images [N,3,H,W] at `scale` (bilinear, corners aligned), sides rounded to multiples of `multiple_px` and no smaller than
/// `minimum_px`. Keeps the graph.
at::Tensor scaled_images(const at::Tensor& images_nchw, double scale, std::int64_t multiple_px,
                         std::int64_t minimum_px);

/// Where scales count as agreeing or not.
enum class AgreementWhere {
  confident_images,  ///< whole images that hold a confident pixel (released)
  confident_pixels,  ///< the confident pixels (paper)
};

/// Mean over the scales of KL(p_k || q), q being the mean of the scales' probabilities p_k, kept in 1e-3 .. 1 - 1e-3; averaged
/// over the pixels that count: where the largest of q reaches `min_confidence`. 0 with a graph where none does.
/// `logits` hold one [N,K,H,W] a scale. Gradient: kept, through q as well.
at::Tensor disagreement(const std::vector<at::Tensor>& logits, double min_confidence, AgreementWhere where);

/// One learnt scalar a scale; the softmax over them is what a scale's logits are multiplied by in the pixel losses. State name:
/// scalars, [scales] float32, 1 at first.
class ScaleWeights : public Module {
 public:
  explicit ScaleWeights(std::int64_t num_scales);

  at::Tensor weights() const;  ///< sum to one. Gradient: kept

  at::Tensor scalars;
};

}  // namespace seedbed::label_correction
