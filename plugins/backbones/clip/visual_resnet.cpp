#include <cmath>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "attention_pool.hpp"
#include "seedbed/layers.hpp"
#include "visual_network.hpp"

namespace seedbed::clip {
namespace {

constexpr std::int64_t kWidening = 4;  // of a bottleneck's last convolution

class Layers : public Module {
 public:
  using Module::register_module;
};

at::Tensor halved(const at::Tensor& input) { return at::avg_pool2d(input, 2); }

// A convolution without bias and the batch norm behind it, each a site.
class ConvNorm {
 public:
  ConvNorm(Layers& parent, const std::string& layer_name, const std::string& norm_name, const std::string& prefix,
           Conv2dOptions options, StepChain& chain, const at::Generator& generator) {
    options.bias = false;
    layer_ = parent.register_module(layer_name, std::make_shared<Conv2d>(options, generator));
    norm_ = parent.register_module(norm_name, std::make_shared<BatchNorm2d>(options.out_channels));
    convolution_ = &chain.add_site(prefix + layer_name, "convolution", options.out_channels);
    normalisation_ = &chain.add_site(prefix + norm_name, "norm", options.out_channels);
  }

  at::Tensor forward(const at::Tensor& input, const ForwardRequest& request) const {
    return run_site(
        request, *normalisation_, convolve_at_site(request, *convolution_, *layer_, input),
        [&](const at::Tensor& value) { return norm_->forward(value, request.batch_norm, request.parameters); });
  }

 private:
  std::shared_ptr<Conv2d> layer_;
  std::shared_ptr<BatchNorm2d> norm_;
  const Site* convolution_;
  const Site* normalisation_;
};

at::Tensor activate(const ForwardRequest& request, const Site& site, const at::Tensor& input) {
  return run_site(request, site, input, [](const at::Tensor& value) { return at::relu(value); });
}

at::Tensor halve(const ForwardRequest& request, const Site& site, const at::Tensor& input) {
  return run_site(request, site, input, halved);
}

// Needed while the network is made; the steps keep the layers that they run.
class ResNetBuilder {
 public:
  ResNetBuilder(StepChain& chain, std::string prefix, const VisualOptions& options, const at::Generator& generator)
      : chain_(chain), prefix_(std::move(prefix)), options_(options), generator_(generator) {}

  std::shared_ptr<Module> network(const Architecture& architecture) {
    add_stem(architecture.vision_width);
    for (std::int64_t i = 0; i < 4; ++i) {
      add_stage(i + 1, architecture.vision_width << i, architecture.vision_layers[static_cast<std::size_t>(i)]);
    }
    add_pool(architecture);
    return network_;
  }

 private:
  void add_stem(std::int64_t width) {
    std::vector<ConvNorm> layers;
    std::vector<const Site*> activations;
    std::int64_t in = 3;
    for (const auto& [index, out, stride] : {std::tuple{"1", width / 2, 2}, {"2", width / 2, 1}, {"3", width, 1}}) {
      layers.emplace_back(
          *network_, std::string("conv") + index, std::string("bn") + index, prefix_,
          Conv2dOptions{.in_channels = in, .out_channels = out, .kernel = 3, .stride = stride, .padding = 1}, chain_,
          generator_);
      activations.push_back(&chain_.add_site(prefix_ + "relu" + index, "activation", out));
      in = out;
    }
    const Site& pool = chain_.add_site(prefix_ + "avgpool", "pooling", width);
    chain_.add_step([layers, activations, &pool](const at::Tensor& images, const ForwardRequest& request) {
      at::Tensor value = images;
      for (std::size_t i = 0; i < layers.size(); ++i) {
        value = activate(request, *activations[i], layers[i].forward(value, request));
      }
      return halve(request, pool, value);
    });
    if (options_.frozen_stages >= 1) network_->set_requires_grad(false);
    channels_ = width;
    chain_.add_tap({.name = "stage1", .aliases = {"stem"}, .channels = width, .stride_px = stride_px_});
  }

  void add_stage(std::int64_t number, std::int64_t width, std::int64_t depth) {
    const std::string name = "layer" + std::to_string(number);
    const auto stage = network_->register_module(name, std::make_shared<Layers>());
    for (std::int64_t i = 0; i < depth; ++i) {
      const bool halves = i == 0 && number > 1;
      const auto block = stage->register_module(std::to_string(i), std::make_shared<Layers>());
      add_block(*block, prefix_ + name + "." + std::to_string(i), width, halves);
      if (halves) stride_px_ *= 2;
      TapInfo tap{
          .name = name + "." + std::to_string(i), .aliases = {}, .channels = channels_, .stride_px = stride_px_};
      if (i + 1 == depth) {
        tap.aliases = {tap.name, name};
        tap.name = "stage" + std::to_string(number + 1);
      }
      chain_.add_tap(std::move(tap));
    }
    if (options_.frozen_stages > number) stage->set_requires_grad(false);
  }

  // Average pools take the place of strides, behind the 3x3 convolution and before the shortcut's.
  void add_block(Layers& module, const std::string& name, std::int64_t width, bool halves) {
    const std::int64_t out = width * kWidening;
    const std::string prefix = name + ".";
    const Site& block = chain_.add_site(name, "block", out);
    const auto layer = [&](const char* index, std::int64_t from, std::int64_t to, std::int64_t kernel) {
      return ConvNorm(module, std::string("conv") + index, std::string("bn") + index, prefix,
                      {.in_channels = from, .out_channels = to, .kernel = kernel, .padding = kernel / 2}, chain_,
                      generator_);
    };
    const auto activation = [&](const char* index, std::int64_t channels) {
      return &chain_.add_site(prefix + "relu" + index, "activation", channels);
    };
    const ConvNorm first = layer("1", channels_, width, 1);
    const Site* first_activation = activation("1", width);
    const ConvNorm second = layer("2", width, width, 3);
    const Site* second_activation = activation("2", width);
    const Site* pool = halves ? &chain_.add_site(prefix + "avgpool", "pooling", width) : nullptr;
    const ConvNorm third = layer("3", width, out, 1);
    const Site* shortcut_pool = nullptr;
    std::vector<ConvNorm> shortcut;  // none where the input fits
    if (halves || channels_ != out) {
      const auto downsample = module.register_module("downsample", std::make_shared<Layers>());
      if (halves) shortcut_pool = &chain_.add_site(prefix + "downsample.-1", "pooling", channels_);
      shortcut.emplace_back(*downsample, "0", "1", prefix + "downsample.",
                            Conv2dOptions{.in_channels = channels_, .out_channels = out}, chain_, generator_);
    }
    const Site* last_activation = activation("3", out);
    chain_.add_step([=, &block](const at::Tensor& input, const ForwardRequest& request) {
      return run_site(request, block, input, [&](const at::Tensor& value) {
        at::Tensor branch = activate(request, *first_activation, first.forward(value, request));
        branch = activate(request, *second_activation, second.forward(branch, request));
        if (pool) branch = halve(request, *pool, branch);
        branch = third.forward(branch, request);
        at::Tensor direct = shortcut_pool ? halve(request, *shortcut_pool, value) : value;
        if (!shortcut.empty()) direct = shortcut.front().forward(direct, request);
        return activate(request, *last_activation, branch + direct);
      });
    });
    channels_ = out;
  }

  // The only block that attention plans find.
  void add_pool(const Architecture& architecture) {
    const auto pool =
        network_->register_module("attnpool", std::make_shared<AttentionPool>(architecture, options_, generator_));
    const Site& site = chain_.add_site(prefix_ + "attnpool", "attention", architecture.embed_dim);
    chain_.add_block([pool, &site](const at::Tensor& cells, StepChain::Pass& pass) {
      const ForwardRequest& request = pass.request;
      const AttentionBlockPlan* plan = plan_of_block(request.attention, 0, 1);
      NamedTensors exports;
      const auto pooled = [&](const at::Tensor& value, const AttentionBlockPlan* wanted) {
        SelfAttention::Output output = pool->forward(value, wanted, request.parameters);
        if (wanted) exports = std::move(output.exports);
        return output.tokens_nld;
      };
      const bool beside = plan && request.attention.beside_original;
      if (beside) pass.second_path = pooled(cells, plan);
      const at::Tensor output = run_site(
          request, site, cells, [&](const at::Tensor& value) { return pooled(value, beside ? nullptr : plan); });
      for (auto& [name, value] : exports) pass.attention["block.0." + name] = std::move(value);
      return output;
    });
    chain_.add_tap({.name = "block.0",
                    .aliases = {"attnpool"},
                    .channels = architecture.embed_dim,
                    .stride_px = 0,
                    .is_sequence = true});
    chain_.add_pass_step([](const at::Tensor& value, StepChain::Pass& pass) { return behind_blocks(value, pass); });
  }

  StepChain& chain_;
  std::string prefix_;
  VisualOptions options_;
  const at::Generator& generator_;
  std::shared_ptr<Layers> network_ = std::make_shared<Layers>();
  std::int64_t channels_ = 0;  // of the step added last
  double stride_px_ = 4;       // of the stem: a strided convolution and a pool
};

}  // namespace

std::shared_ptr<Module> add_visual_resnet(StepChain& chain, const std::string& prefix, const Architecture& architecture,
                                          const VisualOptions& options, const at::Generator& generator) {
  return ResNetBuilder(chain, prefix, options, generator).network(architecture);
}

}  // namespace seedbed::clip
