#include <cmath>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/layers.hpp"

namespace seedbed {
namespace {

/// q, k, v as [N,heads,L,D/heads] each.
struct Vectors {
  at::Tensor q, k, v;

  const at::Tensor& named(char name) const {
    if (name == 'q') return q;
    if (name == 'k') return k;
    if (name == 'v') return v;
    throw ContractError("attention plan", "a term names q, k, v, or i on both sides", "one of these",
                        std::string("`") + name + "`");
  }
};

at::Tensor scores(const at::Tensor& left, const at::Tensor& right, double temperature) {
  return at::matmul(left * temperature, right.transpose(-2, -1));
}

at::Tensor map_of_term(const AttentionTerm& term, const Vectors& vectors, const AttentionBlockPlan& plan,
                       double temperature) {
  if (term.left == 'i' && term.right == 'i') {
    return at::eye(vectors.q.size(2), vectors.q.options()).expand({vectors.q.size(0), vectors.q.size(1), -1, -1});
  }
  const auto side = [&](char name) {
    const at::Tensor& values = vectors.named(name);
    return plan.unit_vectors ? values / values.norm(2, -1, true).clamp_min(1e-12) : values;
  };
  return scores(side(term.left), side(term.right), temperature).softmax(-1);
}

/// The map that multiplies v: [N,heads,L,L], or [N,1,L,L] where the heads share it.
at::Tensor attention_map(const Vectors& vectors, const AttentionBlockPlan& plan, double temperature) {
  at::Tensor map;
  const std::vector<AttentionTerm> own{AttentionTerm{}};
  for (const AttentionTerm& term : plan.terms.empty() ? own : plan.terms) {
    at::Tensor next = map_of_term(term, vectors, plan, temperature);
    if (term.weight != 1.0) next = next * term.weight;
    map = map.defined() ? map + next : next;
  }
  if (plan.heads_share_map) map = map.sum(1, /*keepdim=*/true);
  if (plan.external_ll.defined()) {
    map = map + (plan.external_ll.dim() == 3 ? plan.external_ll.unsqueeze(1) : plan.external_ll);
  }
  return map;
}

at::Tensor over_heads(const at::Tensor& map, const std::string& reduction) {
  if (reduction == "none") return map;
  if (reduction == "mean") return map.mean(1);
  if (reduction == "max") return map.amax(1);
  if (reduction == "sum") return map.sum(1);
  throw ContractError("attention plan", "a head reduction is known", "`none`, `mean`, `max` or `sum`",
                      "`" + reduction + "`");
}

}  // namespace

SelfAttention::SelfAttention(std::int64_t width, std::int64_t heads, bool qkv_bias, const at::Generator& generator)
    : heads_(heads) {
  if (heads < 1 || width % heads != 0) {
    throw ContractError("SelfAttention", "heads divide the width", "a divisor of `" + std::to_string(width) + "`",
                        "`" + std::to_string(heads) + "`");
  }
  qkv_ = register_module("qkv", std::make_shared<Linear>(width, 3 * width, qkv_bias, generator));
  proj_ = register_module("proj", std::make_shared<Linear>(width, width, true, generator));
}

SelfAttention::Output SelfAttention::forward(const at::Tensor& tokens_nld, const AttentionBlockPlan* plan,
                                             ParameterMode mode) const {
  const std::int64_t n = tokens_nld.size(0), l = tokens_nld.size(1), d = tokens_nld.size(2);
  const auto qkv = qkv_->forward(tokens_nld, mode).reshape({n, l, 3, heads_, d / heads_}).permute({2, 0, 3, 1, 4});
  const Vectors vectors{qkv.select(0, 0), qkv.select(0, 1), qkv.select(0, 2)};
  const auto wanted = [&](const char* name) {
    return plan && std::find(plan->exports.begin(), plan->exports.end(), name) != plan->exports.end();
  };
  const double own_temperature = 1.0 / std::sqrt(static_cast<double>(d / heads_));

  Output output;
  at::Tensor mixed;
  const bool changed = plan && (!plan->terms.empty() || plan->unit_vectors || plan->heads_share_map ||
                                plan->temperature != 0 || plan->external_ll.defined());
  if (changed || wanted("soft")) {
    const at::Tensor map = attention_map(vectors, *plan, plan->temperature != 0 ? plan->temperature : own_temperature);
    mixed = at::matmul(map, vectors.v);
    if (wanted("soft")) output.exports["soft"] = over_heads(map, plan->head_reduction);
  } else {
    mixed = at::scaled_dot_product_attention(vectors.q, vectors.k, vectors.v);
  }
  output.tokens_nld = proj_->forward(mixed.transpose(1, 2).reshape({n, l, d}), mode);

  if (wanted("raw")) {
    output.exports["raw"] = over_heads(scores(vectors.q, vectors.k, own_temperature), plan->head_reduction);
  }
  for (const char name : {'q', 'k', 'v'}) {
    if (wanted(std::string(1, name).c_str())) output.exports[std::string(1, name)] = vectors.named(name);
  }
  if (wanted("output")) output.exports["output"] = output.tokens_nld;
  return output;
}

}  // namespace seedbed
