#pragma once

#include <functional>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"
#include "seedbed/run_context.hpp"
#include "seedbed/types.hpp"

namespace seedbed {

/// A part of a network. `again` is true where it is computed for the second time: what the first time changed (running
/// statistics of batch norms) is then to be left alone. Must give the same names and numbers both times.
using CheckpointedSegment = std::function<NamedTensors(const NamedTensors& inputs, bool again)>;

/// `segment(inputs)`, of which only inputs and outputs are kept for the backward pass: what lies between is computed again
/// when that pass comes to it (Chen et al., Training deep nets with sublinear memory cost, 2016). Memory for time: about
/// one more forward pass.
///
/// Both times the segment sees the same random numbers (of `run`'s generator and of the process-wide ones) and the same
/// autocast. Gradients flow into `inputs` and into every leaf that the segment reads, by backward() and by
/// autograd::grad(), also twice. A tensor with a graph that the segment reads must be among `inputs`.
///
/// Lifetime:  what `segment` refers to must live until the backward pass is over.
/// Threads:   [any-thread]; the second time runs on the thread that goes backward.
/// Gradient:  without gradients it is `segment(inputs, false)` and nothing more.
SEEDBED_API NamedTensors checkpointed(const CheckpointedSegment& segment, const NamedTensors& inputs,
                                      const RunContext& run);

}  // namespace seedbed
