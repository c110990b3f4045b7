#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>

#include "clip_doubles.hpp"
#include "support/formula_tensors.hpp"
#include "support/temp_folder.hpp"
#include "support/tensor_matchers.hpp"
#include "weight_names.hpp"
#include "weights/weights_file.hpp"

namespace seedbed::clip {
namespace {

using ::seedbed::testing::equals_tensor;
using ::seedbed::testing::formula_weight;
using ::seedbed::testing::generator;
using ::seedbed::testing::TempFolder;
using ::testing::ElementsAre;
using ::testing::Key;
using testing::small_resnet;
using testing::small_transformer;
using ::testing::UnorderedElementsAre;
using testing::VocabularyRun;

NamedTensors values_of(const Clip& network) {
  NamedTensors values;
  for (const auto& [name, tensor] : network.state()) values[name] = formula_weight(name, tensor.sizes());
  return values;
}

void expect_state(const Clip& network, const NamedTensors& values) {
  for (const auto& [name, tensor] : network.state()) EXPECT_THAT(tensor, equals_tensor(values.at(name))) << name;
}

/// A TorchScript archive of named tensors, in the tree of modules that the names describe.
void save_torchscript(const NamedTensors& tensors, const std::string& path) {
  const auto units = std::make_shared<torch::jit::CompilationUnit>();
  torch::jit::Module root("__torch__.CLIP", units);
  std::map<std::string, torch::jit::Module> modules{{"", root}};
  const std::function<torch::jit::Module&(const std::string&)> module_at =
      [&](const std::string& name) -> torch::jit::Module& {
    const auto known = modules.find(name);
    if (known != modules.end()) return known->second;
    const std::size_t dot = name.rfind('.');
    const std::string parent = dot == std::string::npos ? "" : name.substr(0, dot);
    std::string type = "__torch__." + name;
    std::ranges::replace(type, '.', '_');
    torch::jit::Module made("__torch__." + type, units);
    module_at(parent).register_module(name.substr(dot == std::string::npos ? 0 : dot + 1), made);
    return modules.emplace(name, made).first->second;
  };
  for (const auto& [name, tensor] : tensors) {
    const std::size_t dot = name.rfind('.');
    torch::jit::Module& module = module_at(dot == std::string::npos ? "" : name.substr(0, dot));
    module.register_buffer(name.substr(dot == std::string::npos ? 0 : dot + 1), tensor);
  }
  root.save(path);
}

class ClipWeights : public ::testing::TestWithParam<ClipParameters> {
 protected:
  VocabularyRun run_;
  Clip network_{GetParam(), run_, generator()};
  TempFolder folder_;
  c10::NoGradGuard no_grad_;
};

// What OpenAI publishes: a TorchScript archive, most of it in half precision, with three settings among the tensors.
TEST_P(ClipWeights, AreReadFromATorchScriptArchive) {
  NamedTensors values = values_of(network_), archived;
  for (auto& [name, tensor] : values) {
    const bool half = tensor.is_floating_point() && name.find("ln_") == std::string::npos;
    archived[name] = half ? tensor.to(at::kHalf) : tensor;
    tensor = archived[name].to(tensor.scalar_type());
  }
  for (const char* setting : {"input_resolution", "context_length", "vocab_size"}) {
    archived[setting] = at::tensor(64, at::kLong);
  }
  save_torchscript(archived, folder_ / "clip.pt");
  const weights::WeightsFile file = weights::read_weights_file(folder_ / "clip.pt", {.set = "", .widen = true});
  EXPECT_EQ(file.format, weights::WeightsFormat::torchscript);
  EXPECT_TRUE(network_.load_weights({file.tensors.begin(), file.tensors.end()}).complete());
  expect_state(network_, values);
}

// A caller may hand over half precision as it is.
TEST_P(ClipWeights, AreWidened) {
  NamedTensors halves;
  for (const auto& [name, tensor] : values_of(network_)) halves[name] = tensor.to(at::kHalf);
  EXPECT_TRUE(network_.load_weights(halves).complete());
  EXPECT_THAT(network_.state().at("text_projection"), equals_tensor(halves.at("text_projection").to(at::kFloat)));
}

TEST_P(ClipWeights, AreReadFromOpenClipsTextClass) {
  const NamedTensors values = values_of(network_);
  NamedTensors theirs;
  for (const auto& [name, tensor] : values) {
    theirs[TextNetwork::owns(name) && name != "logit_scale" ? "text." + name : name] = tensor;
  }
  theirs["text.attn_mask"] = at::zeros({8, 8});
  EXPECT_TRUE(network_.load_weights(theirs).complete());
  expect_state(network_, values);
}

TEST_P(ClipWeights, ReportWhatDoesNotFit) {
  NamedTensors values = values_of(network_);
  values["visual.surplus"] = at::zeros({1});
  values["ln_final.bias"] = at::zeros({3});
  values.erase("text_projection");
  const StateReport report = network_.load_weights(values);
  EXPECT_THAT(report.extra, ElementsAre("visual.surplus"));
  EXPECT_THAT(report.missing, ElementsAre("text_projection"));
  EXPECT_EQ(report.misshapen.size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Networks, ClipWeights, ::testing::Values(small_transformer(), small_resnet()),
                         [](const auto& instance) {
                           return std::string(instance.index == 0 ? "transformer" : "resnet");
                         });

/// OpenAI's tensors as Hugging Face transformers names and cuts them.
NamedTensors as_hugging_face(const NamedTensors& tensors) {
  NamedTensors theirs;
  for (const auto& [name, tensor] : tensors) {
    std::string own = name;
    const auto replace = [&](std::string_view from, std::string_view to) {
      const std::size_t place = own.find(from);
      if (place != std::string::npos) own.replace(place, from.size(), to);
    };
    if (name == "visual.proj" || name == "text_projection") {
      theirs[name == "visual.proj" ? "visual_projection.weight" : "text_projection.weight"] = tensor.t();
      continue;
    }
    if (name == "positional_embedding") own = "text_model.embeddings.position_embedding.weight";
    if (name == "visual.positional_embedding") own = "vision_model.embeddings.position_embedding.weight";
    if (name == "token_embedding.weight") own = "text_model.embeddings.token_embedding.weight";
    replace("visual.class_embedding", "vision_model.embeddings.class_embedding");
    replace("visual.conv1.", "vision_model.embeddings.patch_embedding.");
    replace("visual.ln_pre.", "vision_model.pre_layrnorm.");
    replace("visual.ln_post.", "vision_model.post_layernorm.");
    replace("ln_final.", "text_model.final_layer_norm.");
    replace("visual.transformer.resblocks.", "vision_model.encoder.layers.");
    if (!name.starts_with("visual.")) replace("transformer.resblocks.", "text_model.encoder.layers.");
    replace(".ln_1.", ".layer_norm1.");
    replace(".ln_2.", ".layer_norm2.");
    replace(".mlp.c_fc.", ".mlp.fc1.");
    replace(".mlp.c_proj.", ".mlp.fc2.");
    replace(".attn.out_proj.", ".self_attn.out_proj.");
    const std::size_t joined = own.find(".attn.in_proj_");
    if (joined == std::string::npos) {
      theirs[own] = tensor;
      continue;
    }
    const auto parts = tensor.chunk(3);
    for (std::size_t i = 0; i < 3; ++i) {
      const std::string kind = own.substr(joined + std::string_view(".attn.in_proj_").size());
      theirs[own.substr(0, joined) + ".self_attn." + "qkv"[i] + "_proj." + kind] = parts[i];
    }
  }
  theirs["text_model.embeddings.position_ids"] = at::arange(8).unsqueeze(0);
  return theirs;
}

TEST(ClipWeightNames, AreReadFromHuggingFace) {
  const c10::NoGradGuard no_grad;
  VocabularyRun run;
  Clip network(small_transformer(), run, generator());
  const NamedTensors values = values_of(network);
  NamedTensors theirs = as_hugging_face(values);
  EXPECT_EQ(theirs.size(), values.size() + 5 * 2 * 2 + 1);
  EXPECT_TRUE(network.load_weights(theirs).complete());
  expect_state(network, values);
}

TEST(ClipWeightNames, LeaveWhatCannotBeJoined) {
  const at::Tensor row = at::zeros({1, 2});
  const NamedTensors own = openai_names({{"vision_model.embeddings.class_embedding", row},
                                         {"vision_model.encoder.layers.0.self_attn.q_proj.weight", row},
                                         {"vision_model.encoder.layers.0.self_attn.k_proj.weight", row},
                                         {"vision_model.encoder.layers.1.self_attn.q_proj.bias", at::zeros({})},
                                         {"visual_projection.weight", at::zeros({3})},
                                         {"something.else", row}});
  EXPECT_THAT(own, UnorderedElementsAre(Key("visual.class_embedding"),
                                        Key("visual.transformer.resblocks.0.self_attn.q_proj.weight"),
                                        Key("visual.transformer.resblocks.0.self_attn.k_proj.weight"),
                                        Key("visual.transformer.resblocks.1.self_attn.q_proj.bias"), Key("visual.proj"),
                                        Key("something.else")));
}

}  // namespace
}  // namespace seedbed::clip
