#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/backbone.hpp"
#include "seedbed/export.hpp"

namespace seedbed {

/// "block.-3" counted from the start, "block.9" of 12 blocks; other names stay as they are.
SEEDBED_API std::string resolve_block_name(std::string_view name, std::int64_t num_blocks);

/// A network without branches at the top level, written as steps in order of execution with taps between them. Serves
/// what every such backbone must: keeping taps, starting behind one, listing sites, and running no step in vain.
///
/// A step must not change its input in place: that may be a tap's value.
class SEEDBED_API StepChain {
 public:
  using Step = std::function<at::Tensor(const at::Tensor& input, const ForwardRequest& request)>;

  /// What a pass carries beside the value that goes from step to step.
  struct Pass {
    const ForwardRequest& request;
    NamedTensors attention;  ///< exports so far
    at::Tensor second_path;  ///< of AttentionPlan::beside_original, from its first block on
    std::int64_t height_px;  ///< of the images; 0 where the pass starts from a tap that does not say
    std::int64_t width_px;
  };
  using PassStep = std::function<at::Tensor(const at::Tensor& input, Pass& pass)>;

  /// Lists a site; its depth is the order of the calls. The reference stays valid as long as the chain.
  const Site& add_site(std::string name, std::string kind, std::int64_t channels);

  void add_step(Step step);

  /// A step that reads or changes what the pass carries.
  void add_pass_step(PassStep step);

  /// Ends a segment of activation checkpointing behind the step added last: its output is kept, what led to it from the
  /// segment before is computed again. Place it where little is to be kept. A chain without any keeps every step's output.
  void end_segment();

  /// The next of the blocks that attention plans count, from 0: it runs wherever a plan asks for its exports. Its tap is
  /// "block.N".
  void add_block(PassStep step);

  std::int64_t num_blocks() const { return static_cast<std::int64_t>(blocks_.size()); }

  /// Makes a tap of what the step added last puts out. Throws: ContractError for a name or alias that is taken.
  void add_tap(TapInfo tap);

  std::vector<TapInfo> taps() const;
  std::vector<Site> sites() const { return {sites_.begin(), sites_.end()}; }

  /// Checkpoints activations where the request's run says so and gradients are on; not in passes with a rewriter, a
  /// convolution rule or an external map that has a graph, which are lent for the call only. Then the chain must live
  /// until the backward pass is over.
  ///
  /// Requires: require_servable(request). Throws: UserError for a tap to keep, or a block of the attention plan, that lies
  /// before the tap to start from.
  ForwardResult run(const ForwardRequest& request) const;

 private:
  struct Tap {
    TapInfo info;
    std::size_t num_steps;  // run before its value is there
  };
  const Tap& find(std::string_view name) const;
  at::Tensor run_steps(std::size_t first, std::size_t end, at::Tensor value, Pass& pass) const;
  at::Tensor run_checkpointed(std::size_t first, std::size_t end, const at::Tensor& value, Pass& pass) const;
  std::size_t segment_end(std::size_t first, std::size_t end) const;
  std::size_t last_step(const ForwardRequest& request, const std::vector<std::string>& keep) const;
  void require_ahead(const ForwardRequest& request, const std::vector<std::string>& keep, std::size_t start) const;

  std::deque<Site> sites_;
  std::vector<PassStep> steps_;
  std::vector<std::size_t> blocks_;        // the step of each block
  std::vector<std::size_t> segment_ends_;  // numbers of steps
  std::vector<Tap> taps_;
};

}  // namespace seedbed
