#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "seedbed/attention.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/step_chain.hpp"

namespace seedbed::mit {

/// Attention whose keys and values come from a coarser grid: a convolution of kernel and stride `reduction` and a norm
/// (epsilon 1e-5, unlike the norms of blocks and stages). Parameters: `q`, `kv`, `proj`, `sr`, `norm`.
class ReducedAttention : public Module {
 public:
  ReducedAttention(std::int64_t width, std::int64_t heads, std::int64_t reduction, const at::Generator& generator);

  /// Sites `name`.sr and `name`.norm, where keys are reduced.
  void add_sites(StepChain& chain, const std::string& name);

  /// `map_ndhw` with its memory in channels-last order is read without copies.
  SelfAttention::Output forward(const at::Tensor& map_ndhw, const AttentionBlockPlan* plan,
                                const ForwardRequest& request) const;

 private:
  at::Tensor key_source(const at::Tensor& map_ndhw, const at::Tensor& tokens, const ForwardRequest& request) const;
  at::Tensor unscaled(const QueryKeyValue& vectors, std::int64_t height, std::int64_t width) const;

  std::int64_t width_, heads_, reduction_;
  std::shared_ptr<Linear> query_, key_value_, projection_;
  std::shared_ptr<Conv2d> reducer_;  // null where keys are not reduced
  std::shared_ptr<LayerNorm> norm_;
  const Site* reducer_site_ = nullptr;
  const Site* norm_site_ = nullptr;
};

/// [N,D,h,w] <-> [N,h*w,D], views of one another.
at::Tensor tokens_of(const at::Tensor& map_ndhw);
at::Tensor map_of(const at::Tensor& tokens_nld, std::int64_t height, std::int64_t width);

/// SegFormer's initial values: linear weights of deviation 0.02, convolutions by their fan-out over groups, no biases.
std::shared_ptr<Linear> drawn_linear(std::int64_t in, std::int64_t out, const at::Generator& generator);
std::shared_ptr<Conv2d> drawn_convolution(const Conv2dOptions& options, const at::Generator& generator);

}  // namespace seedbed::mit
