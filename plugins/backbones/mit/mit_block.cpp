#include "mit_block.hpp"

#include <utility>

#include <ATen/ATen.h>

namespace seedbed::mit {
namespace {

constexpr std::int64_t kMlpRatio = 4;

class Parts : public Module {
 public:
  using Module::register_module;
};

// A norm sees tokens; sites of this network see maps.
at::Tensor normed(const LayerNorm& norm, const at::Tensor& map, ParameterMode mode) {
  return map_of(norm.forward(tokens_of(map), mode), map.size(2), map.size(3));
}

}  // namespace

MitBlock::MitBlock(const MitBlockOptions& options, const at::Generator& generator) : options_(options) {
  const std::int64_t width = options_.width, hidden = kMlpRatio * width;
  norm1_ = register_module("norm1", std::make_shared<LayerNorm>(width, 1e-6));
  attention_ =
      register_module("attn", std::make_shared<ReducedAttention>(width, options_.heads, options_.reduction, generator));
  norm2_ = register_module("norm2", std::make_shared<LayerNorm>(width, 1e-6));
  const auto mlp = register_module("mlp", std::make_shared<Parts>());
  fc1_ = mlp->register_module("fc1", drawn_linear(width, hidden, generator));
  const auto depthwise = mlp->register_module("dwconv", std::make_shared<Parts>());
  depthwise_ = depthwise->register_module(
      "dwconv",
      drawn_convolution({.in_channels = hidden, .out_channels = hidden, .kernel = 3, .padding = 1, .groups = hidden},
                        generator));
  fc2_ = mlp->register_module("fc2", drawn_linear(hidden, width, generator));
  drop_ = register_module("drop_path", std::make_shared<DropPath>(options_.drop_path));
}

void MitBlock::add_sites(StepChain& chain, const std::string& name) {
  const std::int64_t width = options_.width, hidden = kMlpRatio * width;
  sites_.block = &chain.add_site(name, "block", width);
  sites_.norm1 = &chain.add_site(name + ".norm1", "norm", width);
  sites_.attention = &chain.add_site(name + ".attn", "attention", width);
  attention_->add_sites(chain, name + ".attn");
  sites_.norm2 = &chain.add_site(name + ".norm2", "norm", width);
  sites_.feed_forward = &chain.add_site(name + ".mlp", "feed_forward", width);
  sites_.convolution = &chain.add_site(name + ".mlp.dwconv.dwconv", "convolution", hidden);
  sites_.activation = &chain.add_site(name + ".mlp.act", "activation", hidden);
}

at::Tensor MitBlock::dropped(const at::Tensor& branch, const ForwardRequest& request) const {
  return drop_->forward(branch, request.run ? request.run->generator() : at::Generator());
}

at::Tensor MitBlock::attention_branch(const at::Tensor& map, const AttentionBlockPlan* plan,
                                      const ForwardRequest& request, NamedTensors& exports) const {
  const at::Tensor input = run_site(
      request, *sites_.norm1, map, [&](const at::Tensor& value) { return normed(*norm1_, value, request.parameters); });
  const at::Tensor branch = run_site(request, *sites_.attention, input, [&](const at::Tensor& value) {
    SelfAttention::Output output = attention_->forward(value, plan, request);
    exports = std::move(output.exports);
    return map_of(output.tokens_nld, value.size(2), value.size(3));
  });
  return dropped(branch, request);
}

at::Tensor MitBlock::mlp_branch(const at::Tensor& map, const ForwardRequest& request) const {
  const at::Tensor input = run_site(
      request, *sites_.norm2, map, [&](const at::Tensor& value) { return normed(*norm2_, value, request.parameters); });
  const at::Tensor branch = run_site(request, *sites_.feed_forward, input, [&](const at::Tensor& value) {
    const std::int64_t height = value.size(2), width = value.size(3);
    const at::Tensor hidden = map_of(fc1_->forward(tokens_of(value), request.parameters), height, width);
    const at::Tensor active =
        run_site(request, *sites_.activation, convolve_at_site(request, *sites_.convolution, *depthwise_, hidden),
                 [](const at::Tensor& inner) { return at::gelu(inner); });
    return map_of(fc2_->forward(tokens_of(active), request.parameters), height, width);
  });
  return dropped(branch, request);
}

at::Tensor MitBlock::forward(const at::Tensor& map_ndhw, const AttentionBlockPlan* plan, const ForwardRequest& request,
                             NamedTensors& exports) const {
  return run_site(request, *sites_.block, map_ndhw, [&](const at::Tensor& map) {
    const at::Tensor branch = attention_branch(map, plan, request, exports);
    const at::Tensor mixed = plan && !plan->residual ? branch : map + branch;
    return plan && !plan->feed_forward ? mixed : mixed + mlp_branch(mixed, request);
  });
}

}  // namespace seedbed::mit
