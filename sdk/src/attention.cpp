#include "seedbed/attention.hpp"

#include <cmath>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed {
namespace {

at::Tensor scores(const at::Tensor& left, const at::Tensor& right, const at::Tensor& temperature) {
  return at::matmul(left * temperature, right.transpose(-2, -1));
}

at::Tensor unit_length(const at::Tensor& vectors) { return vectors / vectors.norm(2, -1, true).clamp_min(1e-12); }

// 1 / sqrt(D / heads), as a tensor: a plan may have one temperature for each image.
at::Tensor own_temperature(const QueryKeyValue& vectors) {
  return at::scalar_tensor(1.0 / std::sqrt(static_cast<double>(vectors.q.size(3))), at::kDouble);
}

// Of one element or [N,1,1,1].
at::Tensor temperature_of(const QueryKeyValue& vectors, const AttentionBlockPlan& plan) {
  if (plan.temperature_by_length) {
    if (!vectors.input_nld.defined()) {
      throw ContractError("attend", "a temperature by length needs the tokens that enter the attention", "input_nld",
                          "an undefined tensor");
    }
    return own_temperature(vectors) * vectors.input_nld.norm(2, -1).mean(1).view({-1, 1, 1, 1});
  }
  return plan.temperature != 0 ? at::scalar_tensor(plan.temperature, at::kDouble) : own_temperature(vectors);
}

void require_fitting_term(const at::Tensor& left, const at::Tensor& right, const QueryKeyValue& vectors) {
  if (left.size(2) == vectors.q.size(2) && right.size(2) == vectors.v.size(2)) return;
  throw ContractError("attention plan", "a term gives every query a weight for every key", "the term q.k",
                      "`" + std::to_string(left.size(2)) + " x " + std::to_string(right.size(2)) +
                          "`: keys are spatially reduced here");
}

// What a term names, as the plan wants it: smoothed by its own map, of unit length.
at::Tensor side_of_term(char name, const QueryKeyValue& vectors, const AttentionBlockPlan& plan,
                        const at::Tensor& temperature) {
  at::Tensor side = vectors.named(name);
  for (std::int64_t i = 0; i < plan.smoothing; ++i) {
    if (plan.unit_vectors) side = unit_length(side);
    side = at::matmul(scores(side, side, temperature).softmax(-1), side);
  }
  return plan.unit_vectors ? unit_length(side) : side;
}

at::Tensor map_of_term(const AttentionTerm& term, const QueryKeyValue& vectors, const AttentionBlockPlan& plan,
                       const at::Tensor& temperature) {
  if (term.left == 'i' && term.right == 'i') {
    require_fitting_term(vectors.q, vectors.q, vectors);
    return at::eye(vectors.q.size(2), vectors.q.options()).expand({vectors.q.size(0), vectors.q.size(1), -1, -1});
  }
  const at::Tensor left = side_of_term(term.left, vectors, plan, temperature);
  const at::Tensor right = term.right == term.left ? left : side_of_term(term.right, vectors, plan, temperature);
  require_fitting_term(left, right, vectors);
  return scores(left, right, temperature).softmax(-1);
}

void require_fitting_external(const at::Tensor& external, const at::Tensor& map_nhlk) {
  const std::int64_t dims = external.dim();
  if ((dims == 2 || (dims == 3 && external.size(0) == map_nhlk.size(0))) && external.size(-2) == map_nhlk.size(-2) &&
      external.size(-1) == map_nhlk.size(-1)) {
    return;
  }
  throw ContractError("attention plan", "an external map has the size of the block's own",
                      "[" + std::to_string(map_nhlk.size(-2)) + ", " + std::to_string(map_nhlk.size(-1)) + "]",
                      std::string("a tensor of ") + std::to_string(dims) + " dimensions of another size");
}

/// The map that multiplies v: [N,heads,L,K], or [N,1,L,K] where the heads share it.
at::Tensor attention_map(const QueryKeyValue& vectors, const AttentionBlockPlan& plan) {
  const at::Tensor temperature = temperature_of(vectors, plan);
  at::Tensor map;
  const std::vector<AttentionTerm> own{AttentionTerm{}};
  for (const AttentionTerm& term : plan.terms.empty() ? own : plan.terms) {
    at::Tensor next = map_of_term(term, vectors, plan, temperature);
    if (term.weight != 1.0) next = next * term.weight;
    map = map.defined() ? map + next : next;
  }
  if (plan.heads_share_map) map = map.sum(1, /*keepdim=*/true);
  if (plan.external_ll.defined()) {
    require_fitting_external(plan.external_ll, map);
    map = map + (plan.external_ll.dim() == 3 ? plan.external_ll.unsqueeze(1) : plan.external_ll);
  }
  return map;
}

at::Tensor unscaled_scores(const QueryKeyValue& vectors) {
  if (vectors.q.size(2) != vectors.k.size(2)) {
    throw ContractError(
        "attend", "reduced keys meet averaged queries", "as many keys as queries",
        "`" + std::to_string(vectors.k.size(2)) + "` keys, `" + std::to_string(vectors.q.size(2)) + "` queries");
  }
  return at::matmul(vectors.q, vectors.k.transpose(-2, -1));
}

}  // namespace

const at::Tensor& QueryKeyValue::named(char name) const {
  if (name == 'q') return q;
  if (name == 'k') return k;
  if (name == 'v') return v;
  throw ContractError("attention plan", "a term names q, k, v, or i on both sides", "one of these",
                      std::string("`") + name + "`");
}

at::Tensor reduce_heads(const at::Tensor& map_nhlk, std::string_view reduction) {
  if (reduction == "none") return map_nhlk;
  if (reduction == "mean") return map_nhlk.mean(1);
  if (reduction == "max") return map_nhlk.amax(1);
  if (reduction == "sum") return map_nhlk.sum(1);
  throw ContractError("attention plan", "a head reduction is known", "`none`, `mean`, `max` or `sum`",
                      "`" + std::string(reduction) + "`");
}

AttentionResult attend(const QueryKeyValue& vectors, const AttentionBlockPlan* plan, bool causal) {
  if (plan && causal) {
    throw ContractError("attend", "causal attention has no plan", "a null plan", "a plan");
  }
  AttentionResult result;
  if (plan && (plan->changes_map() || plan->wants("soft"))) {
    const at::Tensor map = attention_map(vectors, *plan);
    result.mixed_nhld = at::matmul(map, vectors.v);
    if (plan->wants("soft")) result.exports["soft"] = reduce_heads(map, plan->head_reduction);
  } else {
    result.mixed_nhld = at::scaled_dot_product_attention(vectors.q, vectors.k, vectors.v, {}, 0.0, causal);
  }
  if (!plan) return result;
  if (plan->wants("raw")) {
    result.exports["raw"] = reduce_heads(scores(vectors.q, vectors.k, own_temperature(vectors)), plan->head_reduction);
  }
  if (plan->wants("unscaled")) {
    result.exports["unscaled"] = reduce_heads(unscaled_scores(vectors), plan->head_reduction);
  }
  for (const char name : {'q', 'k', 'v'}) {
    const std::string key(1, name);
    if (plan->wants(key)) result.exports[key] = vectors.named(name);
  }
  return result;
}

at::Tensor split_heads(const at::Tensor& tokens_nld, std::int64_t heads) {
  return tokens_nld.unflatten(2, {heads, tokens_nld.size(2) / heads}).transpose(1, 2);
}

at::Tensor join_heads(const at::Tensor& tokens_nhld) { return tokens_nhld.transpose(1, 2).flatten(2); }

SelfAttention::SelfAttention(std::int64_t width, std::int64_t heads, bool qkv_bias, const at::Generator& generator,
                             bool causal, AttentionNames names)
    : heads_(heads), causal_(causal) {
  if (heads < 1 || width % heads != 0) {
    throw ContractError("SelfAttention", "heads divide the width", "a divisor of `" + std::to_string(width) + "`",
                        "`" + std::to_string(heads) + "`");
  }
  qkv_ = std::make_shared<Linear>(width, 3 * width, qkv_bias, generator);
  proj_ = std::make_shared<Linear>(width, width, true, generator);
  if (names == AttentionNames::timm) {
    register_module("qkv", qkv_);
    register_module("proj", proj_);
    return;
  }
  register_parameter("in_proj_weight", qkv_->weight);
  if (qkv_bias) register_parameter("in_proj_bias", qkv_->bias);
  register_module("out_proj", proj_);
}

SelfAttention::Output SelfAttention::forward(const at::Tensor& tokens_nld, const AttentionBlockPlan* plan,
                                             ParameterMode mode) const {
  const auto parts = qkv_->forward(tokens_nld, mode).chunk(3, 2);
  AttentionResult attended =
      attend({split_heads(parts[0], heads_), split_heads(parts[1], heads_), split_heads(parts[2], heads_), tokens_nld},
             plan, causal_);
  Output output{proj_->forward(join_heads(attended.mixed_nhld), mode), std::move(attended.exports)};
  if (plan && plan->wants("output")) output.exports["output"] = output.tokens_nld;
  return output;
}

}  // namespace seedbed
