#include <cmath>

#include <ATen/ATen.h>

#include "block_names.hpp"
#include "seedbed/layers.hpp"
#include "visual_network.hpp"

namespace seedbed::clip {
namespace {

class Blocks : public Module {
 public:
  using Module::register_module;
};

class VisualTransformer : public Module {
 public:
  VisualTransformer(const Architecture& architecture, VisualOptions options, const at::Generator& generator)
      : architecture_(architecture), options_(options) {
    const std::int64_t width = architecture_.vision_width, grid = architecture_.table_grid();
    // OpenAI: a normal distribution whose deviation is the width's inverse root.
    const auto drawn = [&](at::IntArrayRef shape) {
      return at::empty(shape, at::kFloat).normal_(0, 1.0 / std::sqrt(static_cast<double>(width)), generator);
    };
    const bool embedding_trained = options_.frozen_stages < 1;
    class_embedding_ = register_parameter("class_embedding", drawn({width}), embedding_trained);
    table_ = register_parameter("positional_embedding", drawn({1 + grid * grid, width}), embedding_trained);
    projection_ = register_parameter("proj", drawn({width, architecture_.embed_dim}));
    convolution_ =
        register_module("conv1", std::make_shared<Conv2d>(Conv2dOptions{.in_channels = 3,
                                                                        .out_channels = width,
                                                                        .kernel = architecture_.vision_patch_size,
                                                                        .stride = architecture_.vision_patch_size,
                                                                        .bias = false},
                                                          generator));
    norm_before_ = register_module("ln_pre", std::make_shared<LayerNorm>(width, options_.norm_epsilon));
    const auto transformer = register_module("transformer", std::make_shared<Blocks>());
    blocks_ = transformer->register_module("resblocks", std::make_shared<Blocks>());
    norm_behind_ = register_module("ln_post", std::make_shared<LayerNorm>(width, options_.norm_epsilon));
    if (!embedding_trained) {
      convolution_->set_requires_grad(false);
      norm_before_->set_requires_grad(false);
    }
  }

  void add_embedding(StepChain& chain, const std::string& prefix) {
    const std::int64_t width = architecture_.vision_width;
    const Site& convolution = chain.add_site(prefix + "conv1", "convolution", width);
    const Site& norm = chain.add_site(prefix + "ln_pre", "norm", width);
    chain.add_step([this, &convolution, &norm](const at::Tensor& images, const ForwardRequest& request) {
      const at::Tensor patches = convolve_at_site(request, convolution, *convolution_, images);
      return run_site(request, norm, with_positions(patches, request.parameters),
                      [&](const at::Tensor& tokens) { return norm_before_->forward(tokens, request.parameters); });
    });
    chain.add_tap({.name = "embed", .aliases = {"ln_pre"}, .channels = width, .stride_px = 0, .is_sequence = true});
  }

  void add_blocks(StepChain& chain, const std::string& prefix, const at::Generator& generator) {
    const std::int64_t width = architecture_.vision_width;
    const TransformerBlockOptions block{.width = width,
                                        .heads = architecture_.vision_heads(),
                                        .mlp_width = 4 * width,
                                        .norm_epsilon = options_.norm_epsilon,
                                        .gelu = options_.gelu};
    for (std::int64_t i = 0; i < architecture_.vision_layers.front(); ++i) {
      const std::string index = std::to_string(i);
      const auto module =
          blocks_->register_module(index, std::make_shared<TransformerBlock>(block, generator, block_names()));
      if (options_.frozen_stages >= i + 2) module->set_requires_grad(false);
      add_transformer_block(chain, module, prefix + "transformer.resblocks." + index);
    }
  }

  void add_projection(StepChain& chain, const std::string& prefix) {
    const Site& norm = chain.add_site(prefix + "ln_post", "norm", architecture_.vision_width);
    chain.add_pass_step([this, &norm](const at::Tensor& value, StepChain::Pass& pass) {
      return run_site(pass.request, norm, behind_blocks(value, pass),
                      [&](const at::Tensor& tokens) { return norm_behind_->forward(tokens, pass.request.parameters); });
    });
    chain.add_tap({.name = "normed",
                   .aliases = {"ln_post"},
                   .channels = architecture_.vision_width,
                   .stride_px = 0,
                   .is_sequence = true});
    chain.add_step([this](const at::Tensor& tokens, const ForwardRequest& request) {
      return at::matmul(tokens, in_mode(projection_, request.parameters));
    });
  }

 private:
  at::Tensor with_positions(const at::Tensor& patches_ndhw, ParameterMode mode) const {
    const at::Tensor class_token =
        in_mode(class_embedding_, mode).view({1, 1, -1}).expand({patches_ndhw.size(0), 1, -1});
    return at::cat({class_token, patches_ndhw.flatten(2).transpose(1, 2)}, 1) +
           fitted_positions(in_mode(table_, mode), patches_ndhw.size(2), patches_ndhw.size(3), options_);
  }

  Architecture architecture_;
  VisualOptions options_;
  at::Tensor class_embedding_, table_, projection_;
  std::shared_ptr<Conv2d> convolution_;
  std::shared_ptr<LayerNorm> norm_before_, norm_behind_;
  std::shared_ptr<Blocks> blocks_;
};

}  // namespace

std::shared_ptr<Module> add_visual_transformer(StepChain& chain, const std::string& prefix,
                                               const Architecture& architecture, const VisualOptions& options,
                                               const at::Generator& generator) {
  auto network = std::make_shared<VisualTransformer>(architecture, options, generator);
  network->add_embedding(chain, prefix);
  network->add_blocks(chain, prefix, generator);
  network->add_projection(chain, prefix);
  return network;
}

}  // namespace seedbed::clip
