#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"
#include "seedbed/loss.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/segmentation_head.hpp"
#include "seedbed/trainable.hpp"

namespace seedbed {

/// The taps that losses read ("tap:NAME" among their needs), in the losses' order; one may come twice.
SEEDBED_API std::vector<std::string> taps_of_losses(const std::vector<WeightedLoss>& losses);

/// What a head is asked on `images_nchw`: `names` of `taps`. Throws: std::out_of_range for a name that `taps` lack.
SEEDBED_API HeadRequest head_request(const NamedTensors& taps, const std::vector<std::string>& names,
                                     const at::Tensor& images_nchw, RunContext* run);

/// What a loss is asked at a step, out of its main view. Logits, taps and pixel weights are left to the caller.
SEEDBED_API LossRequest loss_request(const StepRequest& request, std::int64_t ignore_index);

}  // namespace seedbed
