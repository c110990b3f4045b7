#include "vit.hpp"

#include <string>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "seedbed/error.hpp"
#include "seedbed/transformer.hpp"
#include "vit_weights.hpp"

namespace seedbed::vit {
namespace {

constexpr std::int64_t kImageNetClasses = 1000;

// timm, DeiT and DINO: a normal distribution of deviation 0.02 for tokens and tables.
at::Tensor drawn(at::IntArrayRef shape, const at::Generator& generator) {
  return at::empty(shape, at::kFloat).normal_(0, 0.02, generator);
}

class Parts : public Module {
 public:
  using Module::register_module;
};

}  // namespace

Vit::Vit(const VitParameters& parameters, const at::Generator& generator)
    : parameters_(parameters), rule_(kernels::position_rule_from(parameters.position_table)) {
  if (parameters_.width % parameters_.heads != 0) {
    throw UserError("heads", "heads must divide the width: `" + std::to_string(parameters_.heads) + "`",
                    "a divisor of `" + std::to_string(parameters_.width) + "`");
  }
  if (parameters_.class_tokens > 1 && (parameters_.distillation_token || parameters_.register_tokens > 0)) {
    throw UserError("class_tokens",
                    "several class tokens stand alone: `" + std::to_string(parameters_.class_tokens) + "`",
                    "no distillation_token and no register_tokens beside them");
  }
  if (parameters_.position_tables == "separate" && parameters_.distillation_token) {
    throw UserError("position_tables", "a distillation token has its row in a joint table",
                    "position_tables = \"joint\"");
  }
  add_embedding(generator);
  add_blocks(generator);
  add_final();
  if (parameters_.class_tokens == 1) add_classifier(generator);
}

std::int64_t Vit::num_positioned_prefix() const {
  return parameters_.class_tokens + (parameters_.distillation_token ? 1 : 0);
}

void Vit::add_embedding(const at::Generator& generator) {
  const std::int64_t width = parameters_.width, cells = parameters_.table_grid * parameters_.table_grid;
  const bool trained = parameters_.frozen_stages < 1;
  const bool positions_trained = trained && parameters_.train_positions;
  class_tokens_ = register_parameter("cls_token", drawn({1, parameters_.class_tokens, width}, generator), trained);
  if (parameters_.distillation_token) {
    distillation_token_ = register_parameter("dist_token", drawn({1, 1, width}, generator), trained);
  }
  if (parameters_.position_tables == "joint") {
    table_ = register_parameter("pos_embed", drawn({1, num_positioned_prefix() + cells, width}, generator),
                                positions_trained);
  } else {
    class_table_ =
        register_parameter("pos_embed_cls", drawn({1, parameters_.class_tokens, width}, generator), positions_trained);
    cell_table_ = register_parameter("pos_embed_pat", drawn({1, cells, width}, generator), positions_trained);
  }
  if (parameters_.register_tokens > 0) {
    register_tokens_ =
        register_parameter("register_tokens", drawn({1, parameters_.register_tokens, width}, generator), trained);
  }
  const auto embedding = register_module("patch_embed", std::make_shared<Parts>());
  patch_convolution_ = embedding->register_module(
      "proj",
      std::make_shared<Conv2d>(
          Conv2dOptions{
              .in_channels = 3, .out_channels = width, .kernel = parameters_.patch, .stride = parameters_.patch},
          generator));
  patch_convolution_->set_requires_grad(trained);
  const Site& site = chain_.add_site("patch_embed.proj", "convolution", width);
  chain_.add_step([this, &site](const at::Tensor& images, const ForwardRequest& request) {
    return with_tokens(convolve_at_site(request, site, *patch_convolution_, images), request.parameters);
  });
  chain_.add_tap({.name = "embed", .aliases = {}, .channels = width, .stride_px = 0, .is_sequence = true});
}

void Vit::add_blocks(const at::Generator& generator) {
  const auto blocks = register_module("blocks", std::make_shared<Parts>());
  TransformerBlockOptions options{.width = parameters_.width,
                                  .heads = parameters_.heads,
                                  .mlp_width = 4 * parameters_.width,
                                  .norm_epsilon = parameters_.norm_epsilon,
                                  .layer_scale = parameters_.layer_scale};
  for (std::int64_t i = 0; i < parameters_.depth; ++i) {
    if (parameters_.depth > 1) {
      options.drop_path = parameters_.drop_path * static_cast<double>(i) / static_cast<double>(parameters_.depth - 1);
    }
    const auto block =
        blocks->register_module(std::to_string(i), std::make_shared<TransformerBlock>(options, generator));
    if (parameters_.frozen_stages >= i + 2) block->set_requires_grad(false);
    add_transformer_block(chain_, block, "blocks." + std::to_string(i));
  }
}

void Vit::add_final() {
  const std::int64_t width = parameters_.width;
  if (parameters_.final_norm) {
    const auto norm = register_module("norm", std::make_shared<LayerNorm>(width, parameters_.norm_epsilon));
    const Site& site = chain_.add_site("norm", "norm", width);
    chain_.add_pass_step([norm, &site](const at::Tensor& value, StepChain::Pass& pass) {
      return run_site(pass.request, site, behind_blocks(value, pass),
                      [&](const at::Tensor& tokens) { return norm->forward(tokens, pass.request.parameters); });
    });
  } else {
    chain_.add_pass_step([](const at::Tensor& value, StepChain::Pass& pass) { return behind_blocks(value, pass); });
  }
  if (parameters_.final == "tokens") {
    chain_.add_tap(
        {.name = "final", .aliases = {"tokens", "norm"}, .channels = width, .stride_px = 0, .is_sequence = true});
    return;
  }
  chain_.add_tap({.name = "tokens", .aliases = {"norm"}, .channels = width, .stride_px = 0, .is_sequence = true});
  chain_.add_pass_step([this](const at::Tensor& tokens, StepChain::Pass& pass) {
    if (pass.height_px == 0 || pass.width_px == 0) {
      throw ContractError("vit", "a pass from a tap to a map says how large the images were", "FromTap::height_px",
                          "`0`");
    }
    return cells_of(tokens, token_layout(pass.height_px, pass.width_px));
  });
  chain_.add_tap({.name = "final",
                  .aliases = {},
                  .channels = width,
                  .stride_px = static_cast<double>(parameters_.patch),
                  .is_sequence = false});
}

// They serve reference_logits() alone: no optimiser is to see them, and until weights are loaded they are zero.
void Vit::add_classifier(const at::Generator& generator) {
  const auto add = [&](const char* name) {
    auto layer = register_module(name, std::make_shared<Linear>(parameters_.width, kImageNetClasses, true, generator));
    layer->set_requires_grad(false);
    layer->weight.zero_();
    layer->bias.zero_();
    return layer;
  };
  head_ = add("head");
  if (parameters_.distillation_token) distillation_head_ = add("head_dist");
}

at::Tensor Vit::positions(std::int64_t height, std::int64_t width, ParameterMode mode) const {
  if (table_.defined()) {
    return kernels::resample_position_table(in_mode(table_, mode), num_positioned_prefix(), height, width, rule_);
  }
  return at::cat({in_mode(class_table_, mode),
                  kernels::resample_position_table(in_mode(cell_table_, mode), 0, height, width, rule_)},
                 1);
}

at::Tensor Vit::with_tokens(const at::Tensor& patches_ndhw, ParameterMode mode) const {
  const std::int64_t n = patches_ndhw.size(0);
  const auto for_each_image = [&](const at::Tensor& token) { return in_mode(token, mode).expand({n, -1, -1}); };
  std::vector<at::Tensor> parts{for_each_image(class_tokens_)};
  if (distillation_token_.defined()) parts.push_back(for_each_image(distillation_token_));
  parts.push_back(patches_ndhw.flatten(2).transpose(1, 2));
  const at::Tensor tokens = at::cat(parts, 1) + positions(patches_ndhw.size(2), patches_ndhw.size(3), mode);
  if (!register_tokens_.defined()) return tokens;
  const std::int64_t prefix = num_positioned_prefix();
  return at::cat({tokens.slice(1, 0, prefix), for_each_image(register_tokens_), tokens.slice(1, prefix)}, 1);
}

Normalisation Vit::normalisation() const {
  if (parameters_.normalisation == "half") return {.mean = {0.5, 0.5, 0.5}, .deviation = {0.5, 0.5, 0.5}};
  return {};
}

TokenLayout Vit::token_layout(std::int64_t height_px, std::int64_t width_px) const {
  return {.class_tokens = parameters_.class_tokens,
          .other_tokens = (parameters_.distillation_token ? 1 : 0) + parameters_.register_tokens,
          .height = height_px / parameters_.patch,
          .width = width_px / parameters_.patch};
}

std::int64_t Vit::size_multiple_px() const { return parameters_.remainder == "refuse" ? parameters_.patch : 1; }

ForwardResult Vit::forward(const ForwardRequest& request) {
  require_servable(request, *this);
  if (!request.from && parameters_.remainder == "refuse") {
    const std::int64_t height = request.images_nchw.size(2), width = request.images_nchw.size(3);
    if (height % parameters_.patch != 0 || width % parameters_.patch != 0) {
      throw UserError(
          "remainder",
          "patches do not cover this image: `" + std::to_string(height) + " x " + std::to_string(width) + "`",
          "multiples of `" + std::to_string(parameters_.patch) + "`, or remainder = \"drop\"");
    }
  }
  return chain_.run(request);
}

std::shared_ptr<Backbone> Vit::clone() const {
  auto copy = std::make_shared<Vit>(parameters_, at::make_generator<at::CPUGeneratorImpl>());
  copy->to(class_tokens_.device());
  copy->copy_from(*this);
  return copy;
}

StateReport Vit::load_weights(const NamedTensors& tensors) {
  const NamedTensors renamed = renamed_weights(tensors, {.class_tokens = parameters_.class_tokens,
                                                         .positioned_prefix = num_positioned_prefix(),
                                                         .table_grid = parameters_.table_grid,
                                                         .separate_tables = parameters_.position_tables == "separate",
                                                         .final_norm = parameters_.final_norm});
  StateReport report = load_state(renamed);
  const auto of_classifier = [](const std::string& name) { return name.starts_with("head"); };
  if (!head_) std::erase_if(report.extra, of_classifier);
  if (!renamed.contains("head.weight") && !renamed.contains("head.bias")) std::erase_if(report.missing, of_classifier);
  return report;
}

at::Tensor Vit::reference_logits(const at::Tensor& final_tap) {
  if (!head_) return Backbone::reference_logits(final_tap);
  if (final_tap.dim() != 3) {
    throw UserError("final", "the classifier of a ViT reads its class token, and a map has none",
                    "final = \"tokens\", or the value of tap `tokens`");
  }
  if (!head_->weight.any().item<bool>()) {
    throw UserError("", "no classifier was loaded into this ViT", "weights that hold `head.weight` and `head.bias`");
  }
  const at::Tensor logits = head_->forward(final_tap.select(1, 0));
  return distillation_head_ ? (logits + distillation_head_->forward(final_tap.select(1, 1))) / 2 : logits;
}

}  // namespace seedbed::vit
