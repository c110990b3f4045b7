#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "reduced_attention.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/step_chain.hpp"

namespace seedbed::mit {

struct MitBlockOptions {
  std::int64_t width = 0;
  std::int64_t heads = 0;
  std::int64_t reduction = 1;
  double drop_path = 0;
};

/// Reduced attention, then a feed-forward part with a depthwise 3x3 convolution before its activation, each behind a norm
/// of epsilon 1e-6 and added. Works on maps [N,D,h,w] that are views of tokens.
class MitBlock : public Module {
 public:
  MitBlock(const MitBlockOptions& options, const at::Generator& generator);

  /// The sites of a block called `name` ("block1.0"), in order of execution.
  void add_sites(StepChain& chain, const std::string& name);

  at::Tensor forward(const at::Tensor& map_ndhw, const AttentionBlockPlan* plan, const ForwardRequest& request,
                     NamedTensors& exports) const;

 private:
  at::Tensor attention_branch(const at::Tensor& map, const AttentionBlockPlan* plan, const ForwardRequest& request,
                              NamedTensors& exports) const;
  at::Tensor mlp_branch(const at::Tensor& map, const ForwardRequest& request) const;
  at::Tensor dropped(const at::Tensor& branch, const ForwardRequest& request) const;

  struct Sites {
    const Site *block, *norm1, *attention, *norm2, *feed_forward, *convolution, *activation;
  };
  MitBlockOptions options_;
  Sites sites_{};
  std::shared_ptr<LayerNorm> norm1_, norm2_;
  std::shared_ptr<ReducedAttention> attention_;
  std::shared_ptr<Linear> fc1_, fc2_;
  std::shared_ptr<Conv2d> depthwise_;
  std::shared_ptr<DropPath> drop_;
};

}  // namespace seedbed::mit
