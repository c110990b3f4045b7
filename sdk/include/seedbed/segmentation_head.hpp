#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/backbone.hpp"
#include "seedbed/export.hpp"
#include "seedbed/module.hpp"
#include "seedbed/run_context.hpp"
#include "seedbed/types.hpp"

namespace seedbed {

struct HeadRequest {
  NamedTensors taps;  ///< exactly wanted_taps(), [N,D,h,w] (or sequences)
  std::int64_t input_height_px = 0;
  std::int64_t input_width_px = 0;
  RunContext* run = nullptr;  ///< dropout draws from its generator
};

struct HeadResult {
  at::Tensor logits_nkhw;                    ///< [N,K,h,w] at the head's own resolution
  std::vector<at::Tensor> auxiliary_logits;  ///< [N,K,h',w'] each, in a fixed order
};

/// Turns taps into logits over K labels.
class SEEDBED_API SegmentationHead : public Module {
 public:
  ~SegmentationHead() override;

  virtual std::vector<std::string> wanted_taps() const = 0;
  virtual HeadResult forward(const HeadRequest& request) = 0;

 protected:
  SegmentationHead() = default;
};

}  // namespace seedbed
