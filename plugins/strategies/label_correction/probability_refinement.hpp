#pragma once

#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/refiner.hpp"

namespace seedbed::label_correction {

/// One image's probabilities over some labels, and what the slot's refiner sees beside them.
struct Probabilities {
  at::Tensor planes_phw;            ///< [P,H,W] float32 that sum to one
  std::vector<std::int64_t> names;  ///< P labels, the background first
  at::Tensor image_hwc;             ///< [H,W,3] uint8 RGB; may be undefined without a refiner
  std::string image_id;
};

/// The probabilities that `refiner` makes of them at the image's size; what they are without one (null).
/// Throws: UserError where the refiner gives labels, or other planes. Gradient: none.
at::Tensor refined(const Probabilities& probabilities, Refiner* refiner, RunContext* run);

/// Labels 0 and c of `present_c` ([C] bool), in order.
std::vector<std::int64_t> labels_of(const at::Tensor& present_c);

}  // namespace seedbed::label_correction
