#include "text_network.hpp"

#include <array>
#include <cmath>
#include <string>

#include <ATen/ATen.h>

#include "block_names.hpp"
#include "seedbed/error.hpp"

namespace seedbed::clip {
namespace {

class Parts : public Module {
 public:
  using Module::register_module;
  using Module::register_parameter;
};

at::Tensor drawn(at::IntArrayRef shape, double deviation, const at::Generator& generator) {
  return at::empty(shape, at::kFloat).normal_(0, deviation, generator);
}

}  // namespace

TextNetwork::TextNetwork(const Architecture& architecture, Gelu gelu, const at::Generator& generator)
    : architecture_(architecture) {
  const std::int64_t width = architecture_.transformer_width;
  // Deviations, and the scale below: OpenAI's.
  const auto embedding = std::make_shared<Parts>();
  embedding_weight_ =
      embedding->register_parameter("weight", drawn({architecture_.vocab_size, width}, 0.02, generator));
  token_embedding = embedding;
  positions = drawn({architecture_.context_length, width}, 0.01, generator);
  const TransformerBlockOptions options{.width = width,
                                        .heads = architecture_.transformer_heads,
                                        .mlp_width = 4 * width,
                                        .norm_epsilon = 1e-5,
                                        .gelu = gelu,
                                        .causal = true};
  const auto parts = std::make_shared<Parts>(), blocks = std::make_shared<Parts>();
  for (std::int64_t i = 0; i < architecture_.transformer_layers; ++i) {
    blocks_.push_back(blocks->register_module(std::to_string(i),
                                              std::make_shared<TransformerBlock>(options, generator, block_names())));
  }
  parts->register_module("resblocks", blocks);
  transformer = parts;
  norm = std::make_shared<LayerNorm>(width);
  projection = drawn({width, architecture_.embed_dim}, 1.0 / std::sqrt(static_cast<double>(width)), generator);
  logit_scale = at::scalar_tensor(std::log(1.0 / 0.07), at::kFloat);
  for (const std::shared_ptr<Module>& part : {token_embedding, transformer, std::shared_ptr<Module>(norm)}) {
    part->set_requires_grad(false);
  }
}

// OpenAI takes the largest id, which the end of text is.
at::Tensor TextNetwork::ends_of_text(const at::Tensor& ids_pl) const {
  const bool shaped = ids_pl.defined() && ids_pl.dim() == 2 && ids_pl.size(0) > 0 &&
                      ids_pl.size(1) == architecture_.context_length && ids_pl.scalar_type() == at::kLong;
  if (!shaped || ids_pl.min().item<std::int64_t>() < 0 ||
      ids_pl.max().item<std::int64_t>() >= architecture_.vocab_size) {
    throw ContractError("clip", "token ids are what token_ids() gives",
                        "[P, " + std::to_string(architecture_.context_length) + "] int64 below " +
                            std::to_string(architecture_.vocab_size),
                        "something else");
  }
  const at::Tensor is_end = ids_pl.eq(architecture_.vocab_size - 1);
  if (!is_end.any(1).all().item<bool>()) {
    throw ContractError("clip", "every prompt has an end of text",
                        "the id `" + std::to_string(architecture_.vocab_size - 1) + "` in every row", "a row without");
  }
  return is_end.to(at::kInt).argmax(1);
}

TextFeatures TextNetwork::forward(const at::Tensor& ids_pl) const {
  const at::Tensor ends = ends_of_text(ids_pl);
  at::Tensor tokens = at::embedding(embedding_weight_, ids_pl) + positions;
  for (const auto& block : blocks_) tokens = block->forward(tokens);
  const at::Tensor rows = at::arange(ids_pl.size(0), ends.options());
  return {tokens, at::matmul(norm->forward(tokens.index({rows, ends})), projection)};
}

double TextNetwork::scale() const { return std::exp(logit_scale.item<double>()); }

bool TextNetwork::owns(std::string_view name) {
  for (const std::string_view part : {"token_embedding.", "transformer.", "ln_final."}) {
    if (name.starts_with(part)) return true;
  }
  return name == "positional_embedding" || name == "text_projection" || name == "logit_scale";
}

}  // namespace seedbed::clip
