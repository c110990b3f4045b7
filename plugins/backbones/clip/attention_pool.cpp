#include "attention_pool.hpp"

#include <cmath>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace seedbed::clip {

AttentionPool::AttentionPool(const Architecture& architecture, VisualOptions options, const at::Generator& generator)
    : options_(options), heads_(architecture.vision_heads()) {
  const std::int64_t width = architecture.vision_width * 32, grid = architecture.table_grid();
  const double deviation = 1.0 / std::sqrt(static_cast<double>(width));  // OpenAI's, for all of the pool
  table_ = register_parameter("positional_embedding",
                              at::empty({1 + grid * grid, width}, at::kFloat).normal_(0, deviation, generator));
  const auto add = [&](const char* name, std::int64_t out) {
    auto layer = register_module(name, std::make_shared<Linear>(width, out, true, generator));
    const c10::NoGradGuard no_grad;
    layer->weight.normal_(0, deviation, generator);
    return layer;
  };
  key_ = add("k_proj", width);
  query_ = add("q_proj", width);
  value_ = add("v_proj", width);
  output_ = add("c_proj", architecture.embed_dim);
}

SelfAttention::Output AttentionPool::forward(const at::Tensor& cells_ndhw, const AttentionBlockPlan* plan,
                                             ParameterMode mode) const {
  const at::Tensor cells = cells_ndhw.flatten(2).transpose(1, 2);
  const at::Tensor tokens = at::cat({cells.mean(1, /*keepdim=*/true), cells}, 1) +
                            fitted_positions(in_mode(table_, mode), cells_ndhw.size(2), cells_ndhw.size(3), options_);
  const auto projected = [&](const Linear& layer) { return split_heads(layer.forward(tokens, mode), heads_); };
  AttentionResult attended = attend({projected(*query_), projected(*key_), projected(*value_), tokens}, plan);
  SelfAttention::Output output{output_->forward(join_heads(attended.mixed_nhld), mode), std::move(attended.exports)};
  if (plan && plan->wants("output")) output.exports["output"] = output.tokens_nld;
  return output;
}

}  // namespace seedbed::clip
