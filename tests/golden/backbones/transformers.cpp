#include <algorithm>
#include <optional>
#include <regex>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "backbone_golden.hpp"
#include "contract/methods_under_test.hpp"
#include "seedbed/kernels/position_table.hpp"
#include "support/formula_tensors.hpp"

namespace seedbed::testing {
namespace {

std::optional<std::int64_t> number_in(const std::string& text, const std::regex& pattern) {
  std::smatch match;
  if (!std::regex_match(text, match, pattern)) return std::nullopt;
  return std::stoll(match[1]);
}

/// Keeps what one site puts out.
class SiteOutput : public SiteRewriter {
 public:
  explicit SiteOutput(std::string site) : site_(std::move(site)) {}
  at::Tensor rewrite(const Site& site, const at::Tensor& input,
                     const std::function<at::Tensor(const at::Tensor&)>& original) override {
    const at::Tensor output = original(input);
    if (site.name == site_) value = output;
    return output;
  }
  at::Tensor value;

 private:
  std::string site_;
};

/// One network on its golden's input.
class Network {
 public:
  Network(const BackboneGolden& golden, const std::string& id, const ParameterValues& parameters)
      : backbone_(make<Backbone>(MethodKind::backbone, id, contract_context(run_, 1, false), parameters)) {
    EXPECT_TRUE(backbone_->load_weights(golden.weights()).complete());
    request_.images_nchw = golden.input("x");
    request_.run = &run_;
  }

  Backbone& backbone() { return *backbone_; }

  at::Tensor tap(const std::string& name) {
    ForwardRequest asked = request_;
    asked.keep = {name};
    return backbone_->forward(asked).taps.at(name);
  }

  at::Tensor attention(std::int64_t block, const std::string& what) {
    ForwardRequest asked = request_;
    AttentionBlockPlan& plan = asked.attention.blocks.emplace_back();
    plan.blocks = {block};
    plan.exports = {what};
    return backbone_->forward(asked).attention.at("block." + std::to_string(block) + "." + what);
  }

  at::Tensor site(const std::string& name) {
    SiteOutput output(name);
    ForwardRequest asked = request_;
    asked.rewriter = &output;
    backbone_->forward(asked);
    return output.value;
  }

  /// The last block's tap set to `value`, and what the rest of the network makes of it.
  at::Tensor tokens_behind_blocks(const at::Tensor& value) {
    ForwardRequest rest;
    rest.from = FromTap{"block.-1", value, request_.images_nchw.size(2), request_.images_nchw.size(3)};
    rest.keep = {"tokens"};
    rest.run = &run_;
    return backbone_->forward(rest).taps.at("tokens");
  }

 private:
  FakeRun run_;
  std::shared_ptr<Backbone> backbone_;
  ForwardRequest request_;
};

at::Tensor vit_output(Network& network, const BackboneGolden& golden, const std::string& name) {
  static const std::regex block("block(\\d+)"), attention("attn(\\d+)");
  if (const auto index = number_in(name, block)) return network.tap("block." + std::to_string(*index));
  if (const auto index = number_in(name, attention)) return network.attention(*index, "soft");
  if (name == "embed") return network.tap("embed");
  if (name == "norm") return network.tap("tokens");
  if (name == "norm1") return network.site("blocks.0.norm1");
  if (name == "cls") return network.tap("tokens").select(1, 0);
  if (name == "patch") return network.tap("tokens").slice(1, 1);
  if (name == "aux") return network.tap("block." + std::to_string(golden.integer("aux_layer"))).slice(1, 1);
  if (name == "last4_first") return network.tokens_behind_blocks(network.tap("block.-4"));
  if (name == "logits") return network.backbone().reference_logits(network.tap("tokens"));
  return {};  // reported as not computed
}

NamedTensors vit(const BackboneGolden& golden, ParameterValues parameters) {
  const c10::NoGradGuard no_grad;
  Network network(golden, "vit", parameters);
  NamedTensors found;
  for (const std::string& name : golden.output_names()) {
    if (const at::Tensor output = vit_output(network, golden, name); output.defined()) found[name] = output;
  }
  return found;
}

// "toco" and "dino" also cut sides that are no multiple of the patch; timm refuses them.
ParameterValues position_rule(const BackboneGolden& golden) {
  const std::string rule = golden.text("position_table", "timm");
  return {{"position_table", rule}, {"remainder", std::string(rule == "timm" ? "refuse" : "drop")}};
}

BackboneGoldenRunner imagenet_vit(const std::string& model, std::int64_t width, const ParameterValues& layout = {}) {
  return {"backbone", model, [width, layout](const BackboneGolden& golden) {
            ParameterValues parameters = position_rule(golden);
            parameters.insert(layout.begin(), layout.end());
            parameters["width"] = width;
            parameters["heads"] = width / 64;
            return vit(golden, parameters);
          }};
}

NamedTensors dino(const BackboneGolden& golden) {
  EXPECT_EQ(golden.text("layout", ""), "dino");
  ParameterValues parameters = position_rule(golden);
  parameters["patch"] = golden.integer("patch");
  parameters["table_grid"] = 224 / golden.integer("patch");
  return vit(golden, parameters);
}

/// The number, from 0 over all stages, of a block of `stage` (from 1): the first or the last.
std::int64_t mit_block(const Backbone& backbone, std::int64_t stage, const std::string& which) {
  std::int64_t first = 0, count = 0;
  for (const TapInfo& tap : backbone.taps()) {
    if (!tap.name.starts_with("block.")) continue;
    const std::int64_t of_stage = std::stoll(tap.aliases.front().substr(5, 1));
    first += of_stage < stage ? 1 : 0;
    count += of_stage == stage ? 1 : 0;
  }
  return which == "first" ? first : first + count - 1;
}

NamedTensors mit(const BackboneGolden& golden) {
  const c10::NoGradGuard no_grad;
  Network network(golden, golden.model(), {{"strides", golden.integers("strides")}});
  static const std::regex raw("raw_attn_stage(\\d)_(first|last)"), embedding("patch_embed\\d");
  NamedTensors found;
  for (const std::string& name : golden.output_names()) {
    std::smatch match;
    if (std::regex_match(name, match, raw)) {
      found[name] = network.attention(mit_block(network.backbone(), std::stoll(match[1]), match[2]), "unscaled");
    } else {
      const at::Tensor map = network.tap(name);
      found[name] = std::regex_match(name, embedding) ? map.flatten(2).transpose(1, 2) : map;
    }
  }
  return found;
}

NamedTensors position_tables(const BackboneGolden& golden) {
  const std::vector<std::int64_t> shape = golden.integers("table_shape");
  const at::Tensor table = formula_input(golden.text("table", ""), shape);
  const std::int64_t native = golden.integer("native_grid");
  static const std::regex pattern("(\\w+)\\.(\\d+)x(\\d+)");
  NamedTensors found;
  for (const std::string& name : golden.output_names()) {
    std::smatch match;
    if (!std::regex_match(name, match, pattern)) continue;
    found[name] = kernels::resample_position_table(table, shape.at(1) - native * native, std::stoll(match[2]),
                                                   std::stoll(match[3]), kernels::position_rule_from(match[1].str()));
  }
  return found;
}

}  // namespace

std::vector<BackboneGoldenRunner> transformer_runners() {
  const ParameterValues dinov2{{"patch", std::int64_t{14}}, {"table_grid", std::int64_t{37}}, {"layer_scale", 1.0}};
  ParameterValues with_registers = dinov2;
  with_registers["register_tokens"] = std::int64_t{4};
  std::vector<BackboneGoldenRunner> runners{
      imagenet_vit("deit_tiny_patch16_224", 192),
      imagenet_vit("deit_small_patch16_224", 384),
      imagenet_vit("deit_base_patch16_224", 768),
      imagenet_vit("vit_small_patch16_224", 384),
      imagenet_vit("vit_base_patch16_224", 768),
      {"backbone", "vit_small", dino},
      {"backbone", "position_table", position_tables},
      imagenet_vit("deit_small_distilled_patch16_224", 384, {{"distillation_token", true}}),
      imagenet_vit("vit_small_patch14_dinov2", 384, dinov2),
      imagenet_vit("vit_small_patch14_reg4_dinov2", 384, with_registers)};
  for (const char* size : {"b0", "b1", "b2", "b3", "b4", "b5"}) {
    runners.push_back({"backbone", std::string("mit_") + size, mit});
  }
  return runners;
}

}  // namespace seedbed::testing
