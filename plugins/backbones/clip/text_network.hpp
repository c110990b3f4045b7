#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "architecture.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/module.hpp"
#include "seedbed/transformer.hpp"

namespace seedbed::clip {

/// CLIP's text transformer: causal blocks, a norm, the row of the first end of text, a projection. No part takes gradients.
///
/// OpenAI's files hold its parts at the top level, beside the image network, so it is no module: whoever owns it registers
/// the parts.
class TextNetwork {
 public:
  TextNetwork(const Architecture& architecture, Gelu gelu, const at::Generator& generator);

  /// Requires: `ids_pl` [P,context] int64 within the vocabulary, each row with an end of text. Throws: ContractError.
  TextFeatures forward(const at::Tensor& ids_pl) const;

  /// The factor of cosines: the exponential of what the file holds.
  double scale() const;

  /// Whether a tensor called `name` is a part.
  static bool owns(std::string_view name);

  std::shared_ptr<Module> token_embedding, transformer;
  std::shared_ptr<LayerNorm> norm;
  at::Tensor positions;    ///< [context,width]
  at::Tensor projection;   ///< [width,E]
  at::Tensor logit_scale;  ///< a scalar

 private:
  at::Tensor ends_of_text(const at::Tensor& ids_pl) const;

  Architecture architecture_;
  at::Tensor embedding_weight_;
  std::vector<std::shared_ptr<TransformerBlock>> blocks_;
};

}  // namespace seedbed::clip
