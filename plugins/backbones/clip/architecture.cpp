#include "architecture.hpp"

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "seedbed/error.hpp"

namespace seedbed::clip {
namespace {

constexpr std::int64_t kChannelsOfAHead = 64;
constexpr std::int64_t kResNetPixelsPerCell = 32;
constexpr std::int64_t kResNetFeaturesPerWidth = 32;  // layer4: width times 8, and bottlenecks widen by 4

// Radford et al., tables 19 and 20.
Architecture published(const std::string& name) {
  static const std::map<std::string, Architecture> architectures{
      {"ViT-B/32", {512, 224, {12}, 768, 32, 77, 49408, 512, 8, 12}},
      {"ViT-B/16", {512, 224, {12}, 768, 16, 77, 49408, 512, 8, 12}},
      {"ViT-L/14", {768, 224, {24}, 1024, 14, 77, 49408, 768, 12, 12}},
      {"ViT-L/14@336px", {768, 336, {24}, 1024, 14, 77, 49408, 768, 12, 12}},
      {"RN50", {1024, 224, {3, 4, 6, 3}, 64, 0, 77, 49408, 512, 8, 12}},
  };
  const auto found = architectures.find(name);
  if (found != architectures.end()) return found->second;
  throw ContractError("clip", "the host checks choices", "a known architecture", "`" + name + "`");
}

void require_multiple(const char* parameter, std::int64_t value, std::int64_t factor, const char* why) {
  if (factor > 0 && value > 0 && value % factor == 0) return;
  throw UserError(parameter, std::string(why) + ": `" + std::to_string(value) + "`",
                  "a multiple of `" + std::to_string(factor) + "`");
}

void check(const Architecture& a) {
  if (a.vision_layers.size() != 1 && a.vision_layers.size() != 4) {
    throw UserError(
        "vision_layers",
        "these are neither a transformer's nor a ResNet's: `" + std::to_string(a.vision_layers.size()) + "` numbers",
        "one number, or four");
  }
  if (a.is_resnet()) {
    require_multiple("vision_width", a.vision_width, 2, "the first stem convolutions have half the channels");
  } else {
    require_multiple("vision_width", a.vision_width, kChannelsOfAHead, "a head has 64 channels");
  }
  if (a.pixels_per_cell() < 1) {
    throw UserError("vision_patch_size", "a transformer has patches: `0`",
                    "vision_patch_size, or another architecture");
  }
  require_multiple("image_resolution", a.image_resolution, a.pixels_per_cell(),
                   "the position table covers whole cells");
  require_multiple("transformer_width", a.transformer_width, a.transformer_heads, "heads divide the width");
}

}  // namespace

std::int64_t Architecture::vision_heads() const {
  return vision_width * (is_resnet() ? kResNetFeaturesPerWidth : 1) / kChannelsOfAHead;
}

std::int64_t Architecture::pixels_per_cell() const { return is_resnet() ? kResNetPixelsPerCell : vision_patch_size; }

Architecture architecture_of(const ClipParameters& parameters) {
  Architecture architecture = published(parameters.architecture);
  const auto take = [](std::int64_t& size, std::int64_t given) {
    if (given != 0) size = given;
  };
  take(architecture.embed_dim, parameters.embed_dim);
  take(architecture.image_resolution, parameters.image_resolution);
  if (!parameters.vision_layers.empty()) architecture.vision_layers = parameters.vision_layers;
  take(architecture.vision_width, parameters.vision_width);
  take(architecture.vision_patch_size, parameters.vision_patch_size);
  take(architecture.context_length, parameters.context_length);
  take(architecture.vocab_size, parameters.vocab_size);
  take(architecture.transformer_width, parameters.transformer_width);
  take(architecture.transformer_heads, parameters.transformer_heads);
  take(architecture.transformer_layers, parameters.transformer_layers);
  check(architecture);
  return architecture;
}

namespace {

// 0 where there is no such tensor or dimension.
std::int64_t size_of(const NamedTensors& tensors, std::string_view name, std::int64_t dimension) {
  const auto found = tensors.find(name);
  return found == tensors.end() || dimension >= found->second.dim() ? 0 : found->second.size(dimension);
}

// How many different words follow `prefix` in names.
std::int64_t count_behind(const NamedTensors& tensors, const std::string& prefix) {
  std::set<std::string> words;
  for (auto each = tensors.lower_bound(prefix); each != tensors.end() && each->first.starts_with(prefix); ++each) {
    words.insert(each->first.substr(prefix.size(), each->first.find('.', prefix.size()) - prefix.size()));
  }
  return static_cast<std::int64_t>(words.size());
}

std::int64_t side_of_table(const NamedTensors& tensors, std::string_view name) {
  const std::int64_t cells = size_of(tensors, name, 0) - 1;
  return cells > 0 ? std::llround(std::sqrt(static_cast<double>(cells))) : 0;
}

}  // namespace

Architecture architecture_of(const NamedTensors& tensors) {
  Architecture found;
  found.transformer_width = size_of(tensors, "ln_final.weight", 0);
  found.transformer_heads = found.transformer_width / kChannelsOfAHead;
  found.transformer_layers = count_behind(tensors, "transformer.resblocks.");
  found.context_length = size_of(tensors, "positional_embedding", 0);
  found.vocab_size = size_of(tensors, "token_embedding.weight", 0);
  if (tensors.contains("visual.layer1.0.conv1.weight")) {
    for (const char* stage : {"visual.layer1.", "visual.layer2.", "visual.layer3.", "visual.layer4."}) {
      found.vision_layers.push_back(count_behind(tensors, stage));
    }
    found.vision_width = size_of(tensors, "visual.conv3.weight", 0);
    found.image_resolution = kResNetPixelsPerCell * side_of_table(tensors, "visual.attnpool.positional_embedding");
    found.embed_dim = size_of(tensors, "visual.attnpool.c_proj.weight", 0);
    return found;
  }
  found.vision_layers = {count_behind(tensors, "visual.transformer.resblocks.")};
  found.vision_width = size_of(tensors, "visual.conv1.weight", 0);
  found.vision_patch_size = size_of(tensors, "visual.conv1.weight", 3);
  found.image_resolution = found.vision_patch_size * side_of_table(tensors, "visual.positional_embedding");
  found.embed_dim = size_of(tensors, "visual.proj", 1);
  return found;
}

std::string described(const Architecture& a) {
  std::string layers;
  for (const std::int64_t blocks : a.vision_layers) layers += (layers.empty() ? "" : "-") + std::to_string(blocks);
  const std::string image = a.is_resnet()
                                ? "ResNet, " + layers + " blocks from " + std::to_string(a.vision_width) + " channels"
                                : "ViT, " + layers + " blocks of " + std::to_string(a.vision_width) + ", patch " +
                                      std::to_string(a.vision_patch_size);
  return image + ", image " + std::to_string(a.image_resolution) + ", embedding " + std::to_string(a.embed_dim) +
         "; text " + std::to_string(a.transformer_layers) + " blocks of " + std::to_string(a.transformer_width) +
         ", context " + std::to_string(a.context_length) + ", vocabulary " + std::to_string(a.vocab_size);
}

}  // namespace seedbed::clip
