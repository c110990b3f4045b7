#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "clip.hpp"
#include "sdk/tensor/doubles.hpp"

namespace seedbed::clip::testing {

/// A host's context that names a vocabulary, and counts how often somebody asks for it.
class VocabularyRun : public ::seedbed::testing::FakeRun {
 public:
  explicit VocabularyRun(std::string path = {}) : path_(std::move(path)) {}
  std::string file(std::string_view parameter) override {
    ++asked;
    if (path_.empty() || parameter != "vocabulary") return FakeRun::file(parameter);
    return path_;
  }
  int asked = 0;

 private:
  std::string path_;
};

/// Two heads, three blocks of 16 pixels, 4 x 4 native cells; a vocabulary of bytes and two merges; prompts of 8 tokens.
inline ClipParameters small_transformer() {
  ClipParameters parameters;
  parameters.embed_dim = 24;
  parameters.image_resolution = 64;
  parameters.vision_layers = {3};
  parameters.vision_width = 128;
  parameters.context_length = 8;
  parameters.vocab_size = 516;
  parameters.transformer_width = 16;
  parameters.transformer_heads = 2;
  parameters.transformer_layers = 2;
  return parameters;
}

inline ClipParameters small_resnet() {
  ClipParameters parameters = small_transformer();
  parameters.architecture = "RN50";
  parameters.image_resolution = 96;
  parameters.vision_layers = {1, 1, 2, 1};
  parameters.vision_width = 8;
  return parameters;
}

/// The file that goes with them.
constexpr std::string_view kSmallVocabulary = "header\nc a\nca t</w>\n";

}  // namespace seedbed::clip::testing
