#include "weight_names.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

namespace seedbed::clip {
namespace {

using Renaming = std::pair<std::string_view, std::string_view>;

// What OpenAI's archives hold beside weights, and Hugging Face's position numbers.
bool is_setting(std::string_view name) {
  return name == "input_resolution" || name == "context_length" || name == "vocab_size" || name == "attn_mask" ||
         name.ends_with(".position_ids");
}

bool is_hugging_face(const NamedTensors& tensors) {
  return tensors.contains("vision_model.embeddings.class_embedding") ||
         tensors.contains("text_model.embeddings.token_embedding.weight");
}

// Hugging Face's names and OpenAI's: whole ones or, up to a dot, their starts. "pre_layrnorm" is how it is spelled.
constexpr std::array<Renaming, 10> kStarts{
    {{"vision_model.embeddings.class_embedding", "visual.class_embedding"},
     {"vision_model.embeddings.patch_embedding.", "visual.conv1."},
     {"vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"},
     {"vision_model.pre_layrnorm.", "visual.ln_pre."},
     {"vision_model.post_layernorm.", "visual.ln_post."},
     {"vision_model.encoder.layers.", "visual.transformer.resblocks."},
     {"text_model.embeddings.token_embedding.", "token_embedding."},
     {"text_model.embeddings.position_embedding.weight", "positional_embedding"},
     {"text_model.final_layer_norm.", "ln_final."},
     {"text_model.encoder.layers.", "transformer.resblocks."}}};

// Parts of a block, behind its number.
constexpr std::array<Renaming, 5> kBlockParts{{{".layer_norm1.", ".ln_1."},
                                               {".layer_norm2.", ".ln_2."},
                                               {".mlp.fc1.", ".mlp.c_fc."},
                                               {".mlp.fc2.", ".mlp.c_proj."},
                                               {".self_attn.out_proj.", ".attn.out_proj."}}};

std::string renamed(const std::string& name) {
  std::string own = name;
  for (const auto& [theirs, ours] : kStarts) {
    if (!own.starts_with(theirs)) continue;
    own.replace(0, theirs.size(), ours);
    break;
  }
  for (const auto& [theirs, ours] : kBlockParts) {
    const std::size_t place = own.find(theirs);
    if (place != std::string::npos) own.replace(place, theirs.size(), ours);
  }
  return own;
}

// "BEFORE.self_attn.q_proj.KIND": one of the three that OpenAI keeps in one tensor.
struct Projection {
  std::string before;
  char letter;
  std::string kind;

  std::string name(char other) const { return before + ".self_attn." + other + "_proj." + kind; }

  // The three below each other; undefined where one is missing or does not fit.
  at::Tensor joined(const NamedTensors& tensors) const {
    std::vector<at::Tensor> parts;
    for (const char each : {'q', 'k', 'v'}) {
      const auto found = tensors.find(name(each));
      if (found == tensors.end() || found->second.dim() == 0) return {};
      if (!parts.empty() && found->second.sizes() != parts.front().sizes()) return {};
      parts.push_back(found->second);
    }
    return at::cat(parts);
  }
};

std::optional<Projection> projection_of(const std::string& name) {
  constexpr std::string_view kAttention = ".self_attn.";
  const std::size_t place = name.find(kAttention);
  if (place == std::string::npos) return std::nullopt;
  const std::string rest = name.substr(place + kAttention.size());
  for (const char letter : {'q', 'k', 'v'}) {
    const std::string start = std::string(1, letter) + "_proj.";
    if (rest.starts_with(start)) return Projection{name.substr(0, place), letter, rest.substr(start.size())};
  }
  return std::nullopt;
}

NamedTensors from_hugging_face(const NamedTensors& tensors) {
  NamedTensors own;
  for (const auto& [name, tensor] : tensors) {
    const auto projection = projection_of(name);
    if (name == "visual_projection.weight" || name == "text_projection.weight") {
      own[name.starts_with("visual") ? "visual.proj" : "text_projection"] = tensor.dim() == 2 ? tensor.t() : tensor;
    } else if (const at::Tensor joined = projection ? projection->joined(tensors) : at::Tensor(); joined.defined()) {
      own[renamed(projection->before) + ".attn.in_proj_" + projection->kind] = joined;
    } else {
      own[renamed(name)] = tensor;
    }
  }
  return own;
}

}  // namespace

NamedTensors openai_names(const NamedTensors& tensors) {
  NamedTensors own;
  if (is_hugging_face(tensors)) {
    own = from_hugging_face(tensors);
  } else {
    constexpr std::string_view kText = "text.";
    for (const auto& [name, tensor] : tensors) own[name.starts_with(kText) ? name.substr(kText.size()) : name] = tensor;
  }
  std::erase_if(own, [](const auto& entry) { return is_setting(entry.first); });
  return own;
}

}  // namespace seedbed::clip
