#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"
#include "seedbed/module.hpp"
#include "seedbed/run_context.hpp"
#include "seedbed/types.hpp"

namespace seedbed {

/// What a loss reads; only what `needs()` names is set.
struct LossRequest {
  at::Tensor logits;           ///< [N,K,h,w] for pixel losses, [N,C] for image losses
  at::Tensor target_nhw;       ///< [N,H,W] int64; 255 = ignore
  at::Tensor present_nc;       ///< [N,C] bool
  at::Tensor images_nchw;      ///< normalised
  at::Tensor images_raw_nhwc;  ///< uint8 RGB
  NamedTensors taps;
  ScoreMaps scores;              ///< seeds or teacher scores
  at::Tensor pixel_weights_nhw;  ///< [N,H,W] float32; undefined = 1 everywhere
  Companions companions;
  ValidBoxes valid;
  std::int64_t ignore_index = 255;
  std::int64_t step = 0;
  std::int64_t num_steps = 0;
  RunContext* run = nullptr;
};

/// Threads:  [one-at-a-time] per instance.
/// Gradient: entered with gradients on.
class SEEDBED_API Loss : public Module {
 public:
  ~Loss() override;

  /// Of: "logits", "target", "present", "images", "images_raw", "scores", "pixel_weights", "valid", "tap:NAME",
  /// "companion:NAME".
  virtual std::vector<std::string> needs() const = 0;

  /// Ensures: a finite scalar with a graph to the logits; 0 (with a graph) where nothing counts.
  virtual at::Tensor compute(const LossRequest& request) = 0;

 protected:
  Loss() = default;
};

}  // namespace seedbed
