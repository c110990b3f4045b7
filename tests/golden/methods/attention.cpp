#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "runners.hpp"
#include "seedbed/attention.hpp"

namespace seedbed::testing {
namespace {

/// One attention layer under every plan of the dense CLIP family.
NamedTensors attention_variants(const Golden& golden) {
  const at::Tensor tokens = golden.input("x").transpose(0, 1);  // [L,B,D] in the goldens
  const std::int64_t width = tokens.size(2), heads = static_cast<std::int64_t>(golden.number("heads"));
  SelfAttention layer(width, heads, true, at::detail::createCPUGenerator(0));
  layer.load_state({{"qkv.weight", golden.weight("in_proj_weight", {3 * width, width})},
                    {"qkv.bias", golden.weight("in_proj_bias", {3 * width})},
                    {"proj.weight", golden.weight("out_proj.weight", {width, width})},
                    {"proj.bias", golden.weight("out_proj.bias", {width})}});
  layer.set_requires_grad(false);

  const auto run = [&](std::vector<AttentionTerm> terms, bool heads_share_map = false) {
    AttentionBlockPlan plan;
    plan.terms = std::move(terms);
    plan.heads_share_map = heads_share_map;
    plan.exports = {"soft"};
    return layer.forward(tokens, &plan);
  };
  const std::vector<AttentionTerm> mean{{'q', 'q', 1 / 3.0}, {'k', 'k', 1 / 3.0}, {'v', 'v', 1 / 3.0}};
  const auto sclip = run({{'q', 'q'}, {'k', 'k'}});

  NamedTensors found;
  found["vanilla_qk"] = layer.forward(tokens, nullptr).tokens_nld;
  found["maskclip"] = run({{'i', 'i'}}).tokens_nld;
  found["sclip"] = sclip.tokens_nld;
  found["clearclip"] = run({{'q', 'q'}}).tokens_nld;
  found["kk"] = run({{'k', 'k'}}).tokens_nld;
  found["vv"] = run({{'v', 'v'}}).tokens_nld;
  found["mean_qq_kk_vv"] = run(mean).tokens_nld;
  found["mean_qq_kk_vv_head_sum"] = run(mean, true).tokens_nld;
  for (auto& [name, tensor] : found) tensor = tensor.transpose(0, 1);
  found["sclip_attention"] = sclip.exports.at("soft").flatten(0, 1);
  return found;
}

/// GEM: q.q, k.k and v.v of smoothed unit vectors, averaged.
NamedTensors gem_attention(const Golden& golden) {
  const at::Tensor tokens = golden.input("x").transpose(0, 1);  // [L,B,D] in the goldens
  const std::int64_t width = tokens.size(2), heads = static_cast<std::int64_t>(golden.number("heads"));
  SelfAttention layer(width, heads, true, at::detail::createCPUGenerator(0));
  layer.load_state({{"qkv.weight", golden.weight("qkv.weight", {3 * width, width})},
                    {"qkv.bias", golden.weight("qkv.bias", {3 * width})},
                    {"proj.weight", golden.weight("proj.weight", {width, width})},
                    {"proj.bias", golden.weight("proj.bias", {width})}});
  layer.set_requires_grad(false);
  AttentionBlockPlan plan;
  plan.terms = {{'q', 'q', 1 / 3.0}, {'k', 'k', 1 / 3.0}, {'v', 'v', 1 / 3.0}};
  plan.unit_vectors = true;
  plan.temperature_by_length = true;
  plan.smoothing = static_cast<std::int64_t>(golden.number("iterations", 1));
  return {{"out_0", layer.forward(tokens, &plan).tokens_nld.transpose(0, 1)},
          {"out_1", layer.forward(tokens, nullptr).tokens_nld.transpose(0, 1)}};
}

}  // namespace

std::vector<GoldenRunner> attention_runners() {
  return {{"dense_clip", "VisionTransformer.custom_attn", "", attention_variants},
          {"dense_clip", "SelfSelfAttention", "", gem_attention}};
}

}  // namespace seedbed::testing
