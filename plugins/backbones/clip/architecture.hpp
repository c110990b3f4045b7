#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "clip_manifest.hpp"
#include "seedbed/types.hpp"

namespace seedbed::clip {

/// Sizes of both networks.
struct Architecture {
  std::int64_t embed_dim = 0;
  std::int64_t image_resolution = 0;        ///< px
  std::vector<std::int64_t> vision_layers;  ///< one number: a transformer; four: a ResNet
  std::int64_t vision_width = 0;
  std::int64_t vision_patch_size = 0;  ///< px; a ResNet has none
  std::int64_t context_length = 0;
  std::int64_t vocab_size = 0;
  std::int64_t transformer_width = 0;
  std::int64_t transformer_heads = 0;
  std::int64_t transformer_layers = 0;

  bool is_resnet() const { return vision_layers.size() == 4; }
  std::int64_t vision_heads() const;  ///< of the transformer, or of the ResNet's attention pool
  std::int64_t pixels_per_cell() const;
  std::int64_t table_grid() const { return image_resolution / pixels_per_cell(); }
};

/// The architecture that `parameters` name, with every size that they set themselves.
/// Throws: UserError for sizes that do not go together.
Architecture architecture_of(const ClipParameters& parameters);

/// What a file's tensors, under OpenAI's names, are the weights of, as far as their shapes tell; 0 where they do not. Heads
/// of the text network are those of 64 channels, as in all published ones.
Architecture architecture_of(const NamedTensors& tensors);

/// "ViT, 12 blocks of 768, patch 16, image 224, embedding 512; text 12 blocks of 512, context 77, vocabulary 49408".
std::string described(const Architecture& architecture);

}  // namespace seedbed::clip
