#include <charconv>
#include <memory>
#include <optional>
#include <set>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "backbone_golden.hpp"
#include "contract/methods_under_test.hpp"
#include "support/shared_folder.hpp"

namespace seedbed::testing {
namespace {

/// A host's context that names CLIP's vocabulary.
class VocabularyRun : public FakeRun {
 public:
  std::string file(std::string_view parameter) override {
    EXPECT_EQ(parameter, "vocabulary");
    return shared_path("data/clip-bpe/bpe_simple_vocab_16e6.txt.gz").value();
  }
};

/// Every size that the entry's config names.
ParameterValues parameters_of(const BackboneGolden& golden) {
  const bool resnet = golden.has_list("vision_layers");
  ParameterValues parameters{{"architecture", std::string(resnet ? "RN50" : "ViT-B/16")},
                             {"activation", golden.text("activation", "quick_gelu")}};
  parameters["vision_layers"] =
      resnet ? golden.integers("vision_layers") : std::vector<std::int64_t>{golden.integer("vision_layers")};
  if (!resnet) parameters["vision_patch_size"] = golden.integer("vision_patch_size");
  for (const char* size : {"embed_dim", "image_resolution", "vision_width", "context_length", "vocab_size",
                           "transformer_width", "transformer_heads", "transformer_layers"}) {
    parameters[size] = golden.integer(size);
  }
  return parameters;
}

/// N of "PREFIXN".
std::optional<std::int64_t> number_behind(std::string_view prefix, std::string_view name) {
  if (!name.starts_with(prefix)) return std::nullopt;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
  return error == std::errc() && end == name.data() + name.size() ? std::optional(number) : std::nullopt;
}

/// What the taps and the attention exports of one pass give, under the golden's names, and "image".
NamedTensors image_outputs(const BackboneGolden& golden, Backbone& backbone, RunContext& run) {
  ForwardRequest request;
  request.images_nchw = golden.input("x");
  request.run = &run;
  request.keep = {"tokens"};
  AttentionBlockPlan plan;
  plan.exports = {"soft"};
  const std::set<std::string> not_taps{"image", "text", "text_last", "logits_per_image"};
  std::map<std::string, std::string> taps, maps;  // by the golden's names
  for (const std::string& name : golden.output_names()) {
    if (const auto block = number_behind("attn", name)) {
      plan.blocks.push_back(*block);
      maps[name] = "block." + std::to_string(*block) + ".soft";
    } else if (const auto tap = number_behind("block", name)) {
      taps[name] = "block." + std::to_string(*tap);
    } else if (!not_taps.contains(name)) {
      taps[name] = name;
    }
  }
  if (!plan.blocks.empty()) request.attention.blocks = {plan};
  for (const auto& [name, tap] : taps) request.keep.push_back(tap);
  const ForwardResult result = backbone.forward(request);
  NamedTensors found{{"image", result.taps.at("tokens").select(1, 0)}};
  for (const auto& [name, tap] : taps) found[name] = result.taps.at(tap);
  for (const auto& [name, map] : maps) found[name] = result.attention.at(map);
  return found;
}

NamedTensors clip(const BackboneGolden& golden) {
  VocabularyRun run;
  const auto backbone =
      make<Backbone>(MethodKind::backbone, "clip", contract_context(run, 1, false), parameters_of(golden));
  EXPECT_TRUE(backbone->load_weights(golden.weights()).complete());
  const c10::NoGradGuard no_grad;
  NamedTensors found = image_outputs(golden, *backbone, run);
  TextTower& tower = *backbone->text_tower();
  const TextFeatures text = tower.forward(golden.input("ids"));
  found["text_last"] = text.tokens_pld;
  found["text"] = text.embeddings_pd;
  const auto unit = [](const at::Tensor& rows) { return rows / rows.norm(2, -1, true); };
  found["logits_per_image"] = tower.logit_scale() * at::matmul(unit(found["image"]), unit(text.embeddings_pd).t());
  return found;
}

NamedTensors clip_tokenizer(const BackboneGolden& golden) {
  VocabularyRun run;
  const auto backbone = make<Backbone>(MethodKind::backbone, "clip", contract_context(run, 1, false),
                                       {{"vision_layers", std::vector<std::int64_t>{1}},
                                        {"vision_width", std::int64_t{64}},
                                        {"transformer_width", std::int64_t{8}},
                                        {"transformer_heads", std::int64_t{1}},
                                        {"transformer_layers", std::int64_t{1}},
                                        {"context_length", golden.integer("context")}});
  const at::Tensor ids = backbone->text_tower()->token_ids(golden.texts("prompts"));
  // Padding stands behind the last end of text.
  const at::Tensor ends = ids.eq(49407).to(at::kLong).flip(1).cumsum(1).flip(1);
  return {{"ids", at::where(ends.gt(0), ids, golden.integer("pad")).to(at::kInt)}};
}

}  // namespace

std::vector<BackboneGoldenRunner> clip_runners() {
  return {{"backbone", "clip", clip}, {"backbone", "clip_tokenizer", clip_tokenizer}};
}

}  // namespace seedbed::testing
