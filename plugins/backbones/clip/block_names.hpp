#pragma once

#include "seedbed/transformer.hpp"

namespace seedbed::clip {

/// What OpenAI calls the parts of a block, in both networks.
inline TransformerBlockNames block_names() {
  return {.norm1 = "ln_1",
          .attention = "attn",
          .norm2 = "ln_2",
          .mlp = "mlp",
          .fc1 = "c_fc",
          .fc2 = "c_proj",
          .activation = "gelu",
          .projections = AttentionNames::torch};
}

}  // namespace seedbed::clip
