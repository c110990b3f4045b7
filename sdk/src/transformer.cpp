#include "seedbed/transformer.hpp"

#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace seedbed {
namespace {

class Parts : public Module {
 public:
  using Module::register_module;
};

// timm, DeiT and DINO truncate at -2 and 2, a hundred deviations away.
void draw(Linear& layer, const at::Generator& generator) {
  const c10::NoGradGuard no_grad;
  layer.weight.normal_(0, 0.02, generator);
  if (layer.bias.defined()) layer.bias.zero_();
}

}  // namespace

at::Tensor gelu(const at::Tensor& input, Gelu kind) {
  if (kind == Gelu::erf) return at::gelu(input);
  at::Tensor scaled = 1.702 * input;
  if (c10::GradMode::is_enabled()) return input * at::sigmoid(scaled);
  return scaled.sigmoid_().mul_(input);  // the widest values of a block: one copy of them in place of three
}

struct TransformerBlock::Sites {
  const Site *block, *norm1, *attention, *norm2, *feed_forward, *activation;
};

// How a pass meets the block: with sites or, in a second path and in text towers, without.
struct TransformerBlock::Visit {
  const Sites* sites = nullptr;
  const ForwardRequest* request = nullptr;
  NamedTensors* exports = nullptr;
  ParameterMode mode = ParameterMode::live;

  template <typename Original>
  at::Tensor at(const Site* Sites::*site, const at::Tensor& input, const Original& original) const {
    return sites ? run_site(*request, *(sites->*site), input, original) : original(input);
  }
  at::Generator generator() const { return request && request->run ? request->run->generator() : at::Generator(); }
};

TransformerBlock::TransformerBlock(const TransformerBlockOptions& options, const at::Generator& generator,
                                   TransformerBlockNames names)
    : options_(options), names_(std::move(names)) {
  norm1_ = register_module(names_.norm1, std::make_shared<LayerNorm>(options_.width, options_.norm_epsilon));
  attention_ = register_module(
      names_.attention, std::make_shared<SelfAttention>(options_.width, options_.heads, options_.qkv_bias, generator,
                                                        options_.causal, names_.projections));
  if (options_.layer_scale != 0) {
    scale1_ = register_module("ls1", std::make_shared<LayerScale>(options_.width, options_.layer_scale));
  }
  norm2_ = register_module(names_.norm2, std::make_shared<LayerNorm>(options_.width, options_.norm_epsilon));
  const auto mlp = register_module(names_.mlp, std::make_shared<Parts>());
  fc1_ =
      mlp->register_module(names_.fc1, std::make_shared<Linear>(options_.width, options_.mlp_width, true, generator));
  fc2_ =
      mlp->register_module(names_.fc2, std::make_shared<Linear>(options_.mlp_width, options_.width, true, generator));
  if (options_.layer_scale != 0) {
    scale2_ = register_module("ls2", std::make_shared<LayerScale>(options_.width, options_.layer_scale));
  }
  drop_ = register_module("drop_path", std::make_shared<DropPath>(options_.drop_path));
  draw(attention_->qkv(), generator);
  draw(attention_->proj(), generator);
  draw(*fc1_, generator);
  draw(*fc2_, generator);
}

at::Tensor TransformerBlock::attention_branch(const at::Tensor& tokens, const AttentionBlockPlan* plan,
                                              const Visit& visit) const {
  const at::Tensor normed =
      visit.at(&Sites::norm1, tokens, [&](const at::Tensor& value) { return norm1_->forward(value, visit.mode); });
  const at::Tensor branch = visit.at(&Sites::attention, normed, [&](const at::Tensor& value) {
    SelfAttention::Output output = attention_->forward(value, plan, visit.mode);
    if (visit.exports) *visit.exports = std::move(output.exports);
    return output.tokens_nld;
  });
  return drop_->forward(scale1_ ? scale1_->forward(branch, visit.mode) : branch, visit.generator());
}

at::Tensor TransformerBlock::mlp_branch(const at::Tensor& tokens, const Visit& visit) const {
  const at::Tensor normed =
      visit.at(&Sites::norm2, tokens, [&](const at::Tensor& value) { return norm2_->forward(value, visit.mode); });
  const at::Tensor branch = visit.at(&Sites::feed_forward, normed, [&](const at::Tensor& value) {
    const at::Tensor hidden = visit.at(&Sites::activation, fc1_->forward(value, visit.mode),
                                       [&](const at::Tensor& inner) { return gelu(inner, options_.gelu); });
    return fc2_->forward(hidden, visit.mode);
  });
  return drop_->forward(scale2_ ? scale2_->forward(branch, visit.mode) : branch, visit.generator());
}

at::Tensor TransformerBlock::run(const at::Tensor& tokens, const AttentionBlockPlan* plan, const Visit& visit) const {
  const at::Tensor branch = attention_branch(tokens, plan, visit);
  const at::Tensor mixed = plan && !plan->residual ? branch : tokens + branch;
  return plan && !plan->feed_forward ? mixed : mixed + mlp_branch(mixed, visit);
}

at::Tensor TransformerBlock::run_beside(const at::Tensor& tokens, const AttentionBlockPlan& plan,
                                        const at::Tensor& second_path, const Visit& visit) const {
  const at::Tensor branch = attention_branch(tokens, &plan, visit);
  const at::Tensor mixed = plan.residual ? second_path + branch : branch;
  return plan.feed_forward ? mixed + mlp_branch(mixed, visit) : mixed;
}

at::Tensor TransformerBlock::forward(const at::Tensor& tokens_nld, ParameterMode mode) const {
  return run(tokens_nld, nullptr, {.sites = nullptr, .request = nullptr, .exports = nullptr, .mode = mode});
}

void add_transformer_block(StepChain& chain, std::shared_ptr<TransformerBlock> block, const std::string& name) {
  const std::int64_t index = chain.num_blocks();
  const std::int64_t width = block->options_.width;
  const TransformerBlockNames& names = block->names_;
  const auto site = [&](const std::string& part, const char* kind, std::int64_t channels) {
    return &chain.add_site(name + (part.empty() ? "" : "." + part), kind, channels);
  };
  TransformerBlock::Sites sites{};
  sites.block = site("", "block", width);
  sites.norm1 = site(names.norm1, "norm", width);
  sites.attention = site(names.attention, "attention", width);
  sites.norm2 = site(names.norm2, "norm", width);
  sites.feed_forward = site(names.mlp, "feed_forward", width);
  sites.activation = site(names.mlp + "." + names.activation, "activation", block->options_.mlp_width);

  const std::string tap = "block." + std::to_string(index);
  chain.add_block([block, sites, index, tap, &chain](const at::Tensor& input, StepChain::Pass& pass) {
    const AttentionPlan& whole = pass.request.attention;
    const AttentionBlockPlan* plan = plan_of_block(whole, index, chain.num_blocks());
    NamedTensors exports;
    TransformerBlock::Visit visit{&sites, &pass.request, &exports, pass.request.parameters};
    if (plan && whole.beside_original) {
      if (!pass.second_path.defined()) pass.second_path = input;
      visit.sites = nullptr;
      pass.second_path = block->run_beside(input, *plan, pass.second_path, visit);
      for (auto& [key, value] : exports) pass.attention[tap + "." + key] = std::move(value);
      visit.sites = &sites;
      visit.exports = nullptr;
      plan = nullptr;
    }
    const at::Tensor output = visit.at(&TransformerBlock::Sites::block, input,
                                       [&](const at::Tensor& value) { return block->run(value, plan, visit); });
    if (visit.exports) {
      for (auto& [key, value] : exports) pass.attention[tap + "." + key] = std::move(value);
    }
    return output;
  });
  chain.add_tap({.name = tap, .aliases = {name}, .channels = width, .stride_px = 0, .is_sequence = true});
}

const at::Tensor& behind_blocks(const at::Tensor& value, const StepChain::Pass& pass) {
  return pass.second_path.defined() ? pass.second_path : value;
}

}  // namespace seedbed
