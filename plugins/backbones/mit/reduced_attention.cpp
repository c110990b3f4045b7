#include "reduced_attention.hpp"

#include <cmath>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace seedbed::mit {

at::Tensor tokens_of(const at::Tensor& map_ndhw) { return map_ndhw.flatten(2).transpose(1, 2); }

at::Tensor map_of(const at::Tensor& tokens_nld, std::int64_t height, std::int64_t width) {
  return tokens_nld.transpose(1, 2).unflatten(2, {height, width});
}

std::shared_ptr<Linear> drawn_linear(std::int64_t in, std::int64_t out, const at::Generator& generator) {
  auto layer = std::make_shared<Linear>(in, out, true, generator);
  const c10::NoGradGuard no_grad;
  layer->weight.normal_(0, 0.02, generator);
  layer->bias.zero_();
  return layer;
}

std::shared_ptr<Conv2d> drawn_convolution(const Conv2dOptions& options, const at::Generator& generator) {
  auto layer = std::make_shared<Conv2d>(options, generator);
  const c10::NoGradGuard no_grad;
  const auto fan_out = static_cast<double>(options.kernel * options.kernel * options.out_channels / options.groups);
  layer->weight.normal_(0, std::sqrt(2.0 / fan_out), generator);
  layer->bias.zero_();
  return layer;
}

ReducedAttention::ReducedAttention(std::int64_t width, std::int64_t heads, std::int64_t reduction,
                                   const at::Generator& generator)
    : width_(width), heads_(heads), reduction_(reduction) {
  query_ = register_module("q", drawn_linear(width, width, generator));
  key_value_ = register_module("kv", drawn_linear(width, 2 * width, generator));
  projection_ = register_module("proj", drawn_linear(width, width, generator));
  if (reduction == 1) return;
  reducer_ = register_module(
      "sr", drawn_convolution({.in_channels = width, .out_channels = width, .kernel = reduction, .stride = reduction},
                              generator));
  norm_ = register_module("norm", std::make_shared<LayerNorm>(width, 1e-5));
}

void ReducedAttention::add_sites(StepChain& chain, const std::string& name) {
  if (!reducer_) return;
  reducer_site_ = &chain.add_site(name + ".sr", "convolution", width_);
  norm_site_ = &chain.add_site(name + ".norm", "norm", width_);
}

at::Tensor ReducedAttention::key_source(const at::Tensor& map_ndhw, const at::Tensor& tokens,
                                        const ForwardRequest& request) const {
  if (!reducer_) return tokens;
  const at::Tensor reduced = tokens_of(convolve_at_site(request, *reducer_site_, *reducer_, map_ndhw));
  return run_site(request, *norm_site_, reduced,
                  [&](const at::Tensor& value) { return norm_->forward(value, request.parameters); });
}

// AFA averages the map over the query grid; averaging the queries first is the same sum with fewer products.
at::Tensor ReducedAttention::unscaled(const QueryKeyValue& vectors, std::int64_t height, std::int64_t width) const {
  at::Tensor queries = vectors.q;
  if (reducer_) {
    const at::Tensor grid = queries.flatten(0, 1).transpose(1, 2).unflatten(2, {height, width});
    queries = at::avg_pool2d(grid, reduction_, reduction_).flatten(2).transpose(1, 2).unflatten(0, {-1, heads_});
  }
  return at::matmul(queries, vectors.k.transpose(-2, -1));
}

SelfAttention::Output ReducedAttention::forward(const at::Tensor& map_ndhw, const AttentionBlockPlan* plan,
                                                const ForwardRequest& request) const {
  const ParameterMode mode = request.parameters;
  const at::Tensor tokens = tokens_of(map_ndhw);
  const at::Tensor query = query_->forward(tokens, mode);
  const auto key_value = key_value_->forward(key_source(map_ndhw, tokens, request), mode).chunk(2, 2);
  const QueryKeyValue vectors{split_heads(query, heads_), split_heads(key_value[0], heads_),
                              split_heads(key_value[1], heads_)};
  AttentionBlockPlan of_kernel;
  if (plan) {
    of_kernel = *plan;
    std::erase(of_kernel.exports, "unscaled");  // the grid is known here alone
  }
  AttentionResult attended = attend(vectors, plan ? &of_kernel : nullptr);
  SelfAttention::Output output{projection_->forward(join_heads(attended.mixed_nhld), mode),
                               std::move(attended.exports)};
  if (plan && plan->wants("unscaled")) {
    output.exports["unscaled"] =
        reduce_heads(unscaled(vectors, map_ndhw.size(2), map_ndhw.size(3)), plan->head_reduction);
  }
  if (plan && plan->wants("output")) output.exports["output"] = output.tokens_nld;
  return output;
}

}  // namespace seedbed::mit
