#include "clip.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clip_doubles.hpp"
#include "seedbed/checks.hpp"
#include "seedbed/error.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::clip {
namespace {

using ::seedbed::testing::all_close;
using ::seedbed::testing::equals_tensor;
using ::seedbed::testing::formula_input;
using ::seedbed::testing::formula_weight;
using ::seedbed::testing::generator;
using ::seedbed::testing::has_shape;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::small_resnet;
using testing::small_transformer;
using ::testing::ThrowsMessage;
using testing::VocabularyRun;

class ClipTest : public ::testing::Test {
 protected:
  /// A network whose values are large enough that every part shows.
  std::unique_ptr<Clip> make(const ClipParameters& parameters) {
    auto network = std::make_unique<Clip>(parameters, run_, generator());
    NamedTensors values;
    for (const auto& [name, tensor] : network->state()) values[name] = formula_weight(name, tensor.sizes(), 0.7);
    EXPECT_TRUE(network->load_state(values).complete());
    return network;
  }

  ForwardRequest request(std::int64_t height = 48, std::int64_t width = 80) {
    ForwardRequest request;
    request.images_nchw = formula_input("images", {2, 3, height, width});
    request.run = &run_;
    request.keep = {"tokens"};
    return request;
  }

  static AttentionBlockPlan& add_plan(ForwardRequest& request, std::vector<std::int64_t> blocks) {
    request.attention.blocks.emplace_back().blocks = std::move(blocks);
    return request.attention.blocks.back();
  }

  static at::Tensor tokens_of(Clip& network, const ForwardRequest& request) {
    return network.forward(request).taps.at("tokens");
  }

  VocabularyRun run_;
  c10::NoGradGuard no_grad_;
};

TEST_F(ClipTest, ProjectsItsCellsAsAMapOrAllTokens) {
  for (ClipParameters parameters : {small_transformer(), small_resnet()}) {
    const auto network = make(parameters);
    ForwardRequest both = request();
    both.keep = {"tokens", "final"};
    const ForwardResult result = network->forward(both);
    check_forward_result(result, both, *network, "clip");
    const TokenLayout layout = network->token_layout(48, 80);
    EXPECT_THAT(result.taps.at("tokens"), has_shape({2, 1 + layout.height * layout.width, 24}));
    EXPECT_THAT(result.taps.at("final"), equals_tensor(cells_of(result.taps.at("tokens"), layout)));
    parameters.final = "tokens";
    both.keep = {"final", "dense"};
    const NamedTensors taps = make(parameters)->forward(both).taps;
    EXPECT_THAT(taps.at("final"), equals_tensor(result.taps.at("tokens")));
    EXPECT_THAT(taps.at("dense"), equals_tensor(result.taps.at("tokens")));
  }
}

TEST_F(ClipTest, NamesTapsAndSitesOfTheTransformer) {
  const auto network = make(small_transformer());
  std::vector<std::string> names;
  for (const TapInfo& tap : network->taps()) names.push_back(tap.name);
  EXPECT_THAT(names, ElementsAre("embed", "block.0", "block.1", "block.2", "normed", "tokens", "final"));
  EXPECT_EQ(find_tap(*network, "ln_pre").name, "embed");
  EXPECT_EQ(find_tap(*network, "block.-1").name, "block.2");
  EXPECT_EQ(find_tap(*network, "visual.transformer.resblocks.1").name, "block.1");
  EXPECT_EQ(find_tap(*network, "final").stride_px, 16);
  EXPECT_EQ(network->sites().front().name, "visual.conv1");
  EXPECT_EQ(network->sites().back().name, "visual.ln_post");
  EXPECT_EQ(network->sites()[3].name, "visual.transformer.resblocks.0.ln_1");
}

TEST_F(ClipTest, NamesTapsAndSitesOfTheResNet) {
  const auto network = make(small_resnet());
  for (const char* stage : {"stem", "layer1", "layer2", "layer3", "layer4"}) {
    EXPECT_TRUE(find_tap(*network, stage).name.starts_with("stage")) << stage;
  }
  EXPECT_EQ(find_tap(*network, "stage5").stride_px, 32);
  EXPECT_EQ(find_tap(*network, "layer3.0").stride_px, 16);
  EXPECT_EQ(find_tap(*network, "attnpool").name, "block.0");
  EXPECT_EQ(network->sites().back().name, "visual.attnpool");
}

TEST_F(ClipTest, SaysHowManyCellsAResNetHas) {
  const auto network = make(small_resnet());
  ForwardRequest asked = request();
  asked.keep = {"stage5"};
  for (const auto& [height, width] : {std::pair{31, 63}, {32, 64}, {33, 95}, {97, 62}}) {
    asked.images_nchw = formula_input("images", {1, 3, height, width});
    const TokenLayout layout = network->token_layout(height, width);
    EXPECT_THAT(network->forward(asked).taps.at("stage5"), has_shape({1, 256, layout.height, layout.width}));
  }
  EXPECT_EQ(network->minimum_size_px(), 31);
}

// OpenAI lets the mean of the cells ask alone.
TEST_F(ClipTest, PoolsAsTheMeanTokenWould) {
  const auto network = make(small_resnet());
  ForwardRequest asked = request(96, 96);
  asked.keep = {"stage5", "tokens"};
  const NamedTensors taps = network->forward(asked).taps, state = network->state();
  const at::Tensor cells = taps.at("stage5").flatten(2).transpose(1, 2);
  const at::Tensor tokens = at::cat({cells.mean(1, true), cells}, 1) + state.at("visual.attnpool.positional_embedding");
  const auto heads = [&](const at::Tensor& input, const std::string& name) {
    const std::string layer = "visual.attnpool." + name;
    return at::linear(input, state.at(layer + ".weight"), state.at(layer + ".bias"))
        .unflatten(2, {4, 64})
        .transpose(1, 2);
  };
  const at::Tensor map =
      (at::matmul(heads(tokens.slice(1, 0, 1), "q_proj"), heads(tokens, "k_proj").transpose(2, 3)) / 8.0).softmax(-1);
  const at::Tensor pooled = at::matmul(map, heads(tokens, "v_proj")).transpose(1, 2).flatten(2).select(1, 0);
  EXPECT_THAT(taps.at("tokens").select(1, 0), all_close(at::linear(pooled, state.at("visual.attnpool.c_proj.weight"),
                                                                   state.at("visual.attnpool.c_proj.bias")),
                                                        1e-5, 1e-4));
}

TEST_F(ClipTest, TreatsThePoolAsABlockOfAttentionPlans) {
  const auto network = make(small_resnet());
  ForwardRequest asked = request(96, 96);
  const at::Tensor plain = tokens_of(*network, asked);
  AttentionBlockPlan& plan = add_plan(asked, {-1});
  plan.exports = {"soft", "v", "output"};
  plan.head_reduction = "mean";
  const ForwardResult exported = network->forward(asked);
  check_forward_result(exported, asked, *network, "clip");
  EXPECT_THAT(exported.taps.at("tokens"), all_close(plain, 1e-5, 1e-5));
  EXPECT_THAT(exported.attention.at("block.0.soft"), has_shape({2, 10, 10}));
  // MaskCLIP: each token keeps its own value.
  plan.terms = {{'i', 'i'}};
  const ForwardResult values = network->forward(asked);
  const NamedTensors state = network->state();
  const at::Tensor joined = values.attention.at("block.0.v").transpose(1, 2).flatten(2);
  EXPECT_THAT(values.taps.at("tokens"), all_close(at::linear(joined, state.at("visual.attnpool.c_proj.weight"),
                                                             state.at("visual.attnpool.c_proj.bias")),
                                                  1e-5, 1e-5));
  // Beside the original the tap of the block stays what it was.
  asked.attention.beside_original = true;
  asked.keep = {"tokens", "block.0"};
  const ForwardResult beside = network->forward(asked);
  EXPECT_THAT(beside.taps.at("tokens"), equals_tensor(values.taps.at("tokens")));
  EXPECT_THAT(beside.taps.at("block.0"), all_close(plain, 1e-5, 1e-5));
}

TEST_F(ClipTest, RunsClipSurgerysSecondPath) {
  const auto network = make(small_transformer());
  ForwardRequest asked = request();
  const at::Tensor plain = tokens_of(*network, asked);
  // With its own term, residual and feed-forward part the second path of one block is the first.
  AttentionBlockPlan& plan = add_plan(asked, {2});
  plan.terms = {{'q', 'k'}};
  asked.attention.beside_original = true;
  EXPECT_THAT(tokens_of(*network, asked), all_close(plain, 1e-4, 1e-4));
  plan.blocks = {1, 2};
  plan.terms = {{'q', 'q', 1 / 3.0}, {'k', 'k', 1 / 3.0}, {'v', 'v', 1 / 3.0}};
  plan.heads_share_map = true;
  plan.feed_forward = false;
  plan.exports = {"output", "soft"};
  asked.keep = {"tokens", "block.0", "block.2"};
  const ForwardResult result = network->forward(asked);
  check_forward_result(result, asked, *network, "clip");
  const NamedTensors state = network->state();
  const at::Tensor second =
      result.taps.at("block.0") + result.attention.at("block.1.output") + result.attention.at("block.2.output");
  const at::Tensor normed =
      at::layer_norm(second, {128}, state.at("visual.ln_post.weight"), state.at("visual.ln_post.bias"));
  EXPECT_THAT(result.taps.at("tokens"), all_close(at::matmul(normed, state.at("visual.proj")), 1e-4, 1e-4));
  // The untouched class token, projected behind it.
  ForwardRequest rest;
  rest.from = FromTap{"block.2", result.taps.at("block.2"), 48, 80};
  rest.keep = {"tokens"};
  EXPECT_THAT(tokens_of(*network, rest), all_close(plain, 1e-5, 1e-5));
}

TEST_F(ClipTest, ShowsTheSitesThatGradientMethodsWatch) {
  class Watcher : public SiteRewriter {
   public:
    at::Tensor rewrite(const Site& site, const at::Tensor& input,
                       const std::function<at::Tensor(const at::Tensor&)>& original) override {
      at::Tensor output = original(input);
      if (site.name == "visual.transformer.resblocks.2.ln_1") normed = output;
      return output;
    }
    at::Tensor normed;
  } watcher;
  const auto network = make(small_transformer());
  ForwardRequest asked = request();
  asked.keep = {"block.1"};
  const at::Tensor leaf = network->forward(asked).taps.at("block.1").set_requires_grad(true);
  asked.images_nchw.reset();
  asked.from = FromTap{"block.1", leaf, 48, 80};
  asked.keep = {"final"};
  asked.rewriter = &watcher;
  asked.parameters = ParameterMode::detached;
  const c10::AutoGradMode with_gradients(true);
  const at::Tensor score = network->forward(asked).taps.at("final").mean();
  score.backward();
  EXPECT_THAT(watcher.normed, has_shape({2, 16, 128}));
  EXPECT_GT(leaf.grad().abs().max().item<double>(), 0);
}

TEST_F(ClipTest, FitsItsPositionsByRuleAndOverABaseGrid) {
  ClipParameters parameters = small_transformer();
  const ForwardRequest native = request(64, 64), other = request(48, 80);
  const at::Tensor bilinear_native = tokens_of(*make(parameters), native);
  const at::Tensor bilinear = tokens_of(*make(parameters), other);
  for (const char* rule : {"sclip", "open_clip", "timm_no_antialias"}) {
    parameters.position_table = rule;
    EXPECT_THAT(tokens_of(*make(parameters), native), equals_tensor(bilinear_native)) << rule;
    EXPECT_FALSE(at::allclose(tokens_of(*make(parameters), other), bilinear, 1e-3, 1e-3)) << rule;
  }
  parameters.position_table = "clip_es";
  const at::Tensor rounded = tokens_of(*make(parameters), native);
  EXPECT_FALSE(at::equal(rounded, bilinear_native));
  EXPECT_THAT(rounded, all_close(bilinear_native, 0.05));
  parameters.position_table = "bilinear";
  parameters.position_base = 4;
  EXPECT_THAT(tokens_of(*make(parameters), other), equals_tensor(bilinear));
  parameters.position_base = 7;
  EXPECT_FALSE(at::allclose(tokens_of(*make(parameters), native), bilinear_native, 1e-3, 1e-3));
  EXPECT_THAT(tokens_of(*make(parameters), request(112, 112)), has_shape({2, 50, 24}));
}

TEST_F(ClipTest, HasBothActivationsAndBothNormalisations) {
  ClipParameters parameters = small_transformer();
  const at::Tensor quick = tokens_of(*make(parameters), request());
  EXPECT_EQ(make(parameters)->normalisation().mean[0], 0.48145466);
  parameters.activation = "gelu";
  parameters.normalisation = "imagenet";
  EXPECT_FALSE(at::allclose(tokens_of(*make(parameters), request()), quick, 1e-3, 1e-3));
  EXPECT_EQ(make(parameters)->normalisation().mean[0], 0.485);
}

TEST_F(ClipTest, FreezesFromTheImageOn) {
  const auto trained = [&](ClipParameters parameters, std::int64_t stages) {
    parameters.frozen_stages = stages;
    std::vector<std::string> names;
    for (const auto& [name, tensor] : Clip(parameters, run_, generator()).named_parameters()) {
      if (tensor.requires_grad()) names.push_back(name);
    }
    return names;
  };
  const auto all = trained(small_transformer(), 0);
  for (const std::string& name : all) EXPECT_TRUE(name.starts_with("visual.")) << name;
  EXPECT_EQ(all.size(), 3u + 1 + 4 + 3 * 12);
  EXPECT_EQ(trained(small_transformer(), 1).size(), all.size() - 5);
  EXPECT_EQ(trained(small_transformer(), 2).size(), all.size() - 17);
  EXPECT_THAT(trained(small_transformer(), 4),
              ElementsAre("visual.proj", "visual.ln_post.weight", "visual.ln_post.bias"));
  for (const std::string& name : trained(small_resnet(), 5)) EXPECT_TRUE(name.starts_with("visual.attnpool.")) << name;
  EXPECT_EQ(trained(small_resnet(), 1).front(), "visual.layer1.0.conv1.weight");
}

TEST(ClipArchitecture, HasThePublishedSizes) {
  const auto sizes = [](const char* name) {
    ClipParameters parameters;
    parameters.architecture = name;
    return architecture_of(parameters);
  };
  EXPECT_EQ(sizes("ViT-B/16").table_grid(), 14);
  EXPECT_EQ(sizes("ViT-B/32").table_grid(), 7);
  EXPECT_EQ(sizes("ViT-L/14").vision_heads(), 16);
  EXPECT_EQ(sizes("ViT-L/14@336px").table_grid(), 24);
  EXPECT_EQ(sizes("ViT-L/14").transformer_width, 768);
  EXPECT_EQ(sizes("RN50").vision_heads(), 32);
  EXPECT_EQ(sizes("RN50").table_grid(), 7);
  EXPECT_EQ(sizes("RN50").embed_dim, 1024);
  EXPECT_THAT([&] { sizes("RN51"); }, ThrowsMessage<ContractError>(HasSubstr("`RN51`")));
}

TEST(ClipArchitecture, RefusesSizesThatDoNotGoTogether) {
  const auto refuses = [](const char* where, const std::function<void(ClipParameters&)>& change) {
    ClipParameters parameters = small_transformer();
    change(parameters);
    try {
      architecture_of(parameters);
      ADD_FAILURE() << "accepted: " << where;
    } catch (const UserError& error) {
      EXPECT_EQ(error.where(), where);
    }
  };
  refuses("vision_layers", [](ClipParameters& p) { p.vision_layers = {3, 4}; });
  refuses("vision_width", [](ClipParameters& p) { p.vision_width = 100; });
  refuses("vision_patch_size", [](ClipParameters& p) { p.architecture = "RN50"; });
  refuses("image_resolution", [](ClipParameters& p) { p.image_resolution = 65; });
  refuses("transformer_width", [](ClipParameters& p) { p.transformer_heads = 3; });
  refuses("vision_width", [](ClipParameters& p) {
    p = small_resnet();
    p.vision_width = 9;
  });
  refuses("image_resolution", [](ClipParameters& p) {
    p = small_resnet();
    p.image_resolution = 112;
  });
}

}  // namespace
}  // namespace seedbed::clip
