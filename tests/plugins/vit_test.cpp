#include "vit.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sdk/tensor/doubles.hpp"
#include "seedbed/trainable.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::vit {
namespace {

using testing::all_close;
using ::testing::ElementsAre;
using testing::equals_tensor;
using testing::FakeRun;
using testing::formula_input;
using testing::has_shape;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// Patches of 4 pixels, a table for 3 x 3 of them.
VitParameters tiny() {
  VitParameters parameters;
  parameters.width = 16;
  parameters.heads = 2;
  parameters.depth = 2;
  parameters.patch = 4;
  parameters.table_grid = 3;
  parameters.final = "tokens";
  return parameters;
}

std::shared_ptr<Vit> make(const VitParameters& parameters, std::uint64_t seed = 1) {
  auto network = std::make_shared<Vit>(parameters, testing::generator(seed));
  network->set_requires_grad(false);
  return network;
}

NamedTensors taps(Vit& network, std::vector<std::string> names, std::int64_t height = 12, std::int64_t width = 12) {
  FakeRun run;
  ForwardRequest request;
  request.images_nchw = formula_input("images", {2, 3, height, width});
  request.keep = std::move(names);
  request.run = &run;
  return network.forward(request).taps;
}

at::Tensor tap(Vit& network, const std::string& name, std::int64_t height = 12, std::int64_t width = 12) {
  return taps(network, {name}, height, width).at(name);
}

/// The state under other names, as a file might hold it.
template <typename Rename>
NamedTensors renamed(const Vit& network, const Rename& rename) {
  NamedTensors file;
  for (const auto& [name, tensor] : network.state()) file[rename(name)] = tensor;
  return file;
}

void expect_loaded(const VitParameters& parameters, const NamedTensors& file, Vit& origin) {
  const auto other = make(parameters, 2);
  const StateReport report = other->load_weights(file);
  EXPECT_THAT(report.missing, ElementsAre());
  EXPECT_THAT(report.extra, ElementsAre());
  EXPECT_THAT(report.misshapen, ElementsAre());
  EXPECT_THAT(tap(*other, "tokens"), equals_tensor(tap(origin, "tokens")));
}

TEST(Vit, ReadsFilesOfDinoAndToCo) {
  const auto origin = make(tiny());
  for (const char* prefix : {"module.backbone.", "backbone.", "module.encoder.", "encoder."}) {
    NamedTensors file = renamed(*origin, [&](const std::string& name) { return prefix + name; });
    file.erase(std::string(prefix) + "head.weight");
    file.erase(std::string(prefix) + "head.bias");
    file["module.head.mlp.0.weight"] = at::ones({2, 2});  // a projector outside the backbone
    expect_loaded(tiny(), file, *origin);
  }
}

TEST(Vit, ReadsFilesOfDinov2) {
  VitParameters parameters = tiny();
  parameters.layer_scale = 1.0;
  parameters.register_tokens = 2;
  const auto origin = make(parameters);
  // Training files keep blocks in chunks and an unused token for masked patches.
  NamedTensors file = renamed(*origin, [](const std::string& name) {
    return name.starts_with("blocks.1.") ? "blocks.0." + name.substr(7) : name;
  });
  file["mask_token"] = at::ones({1, 16});
  file = [&] {
    NamedTensors chunked;
    for (const auto& [name, tensor] : file) {
      const bool first = name.starts_with("blocks.0.") && !name.starts_with("blocks.0.1.");
      chunked[first ? "blocks.0." + name.substr(7) : name] = tensor;
    }
    return chunked;
  }();
  ASSERT_TRUE(file.contains("blocks.0.0.norm1.weight") && file.contains("blocks.0.1.ls1.gamma"));
  expect_loaded(parameters, file, *origin);
}

TEST(Vit, ReadsTimmsRegistersWhoseClassTokenHoldsItsPosition) {
  VitParameters parameters = tiny();
  parameters.register_tokens = 2;
  const auto origin = make(parameters);
  NamedTensors file = renamed(
      *origin, [](const std::string& name) { return name == "register_tokens" ? std::string("reg_token") : name; });
  const at::Tensor table = file.at("pos_embed");
  file["pos_embed"] = table.slice(1, 1);
  file["cls_token"] = file.at("cls_token") + table.slice(1, 0, 1);
  expect_loaded(parameters, file, *origin);
}

TEST(Vit, CopiesOneClassTokenForEachClass) {
  const auto origin = make(tiny());
  VitParameters parameters = tiny();
  parameters.class_tokens = 3;
  const auto network = make(parameters, 2);
  EXPECT_TRUE(network->load_weights(origin->state()).complete());
  const at::Tensor embedded = tap(*network, "embed"), own = tap(*origin, "embed");
  EXPECT_THAT(embedded, has_shape({2, 3 + 9, 16}));
  EXPECT_THAT(embedded.slice(1, 0, 3), equals_tensor(own.slice(1, 0, 1).expand({2, 3, 16})));
  EXPECT_THAT(embedded.slice(1, 3), equals_tensor(own.slice(1, 1)));
  EXPECT_THAT([&] { network->reference_logits(embedded); }, ThrowsMessage<UserError>(HasSubstr("no classifier")));
  EXPECT_EQ(network->token_layout(12, 8).prefix(), 3);
}

TEST(Vit, SplitsATableForMctformerPlus) {
  const auto origin = make(tiny());
  VitParameters parameters = tiny();
  parameters.class_tokens = 2;
  parameters.position_tables = "separate";
  parameters.final_norm = false;
  const auto network = make(parameters, 2);
  EXPECT_TRUE(network->load_weights(origin->state()).complete());
  EXPECT_THAT(tap(*network, "embed").slice(1, 2), equals_tensor(tap(*origin, "embed").slice(1, 1)));
  EXPECT_THAT(tap(*network, "final"), equals_tensor(tap(*network, "block.-1")));

  parameters.table_grid = 6;
  const auto doubled = make(parameters, 2);
  EXPECT_TRUE(doubled->load_weights(origin->state()).complete());
  const at::Tensor cells = doubled->state().at("pos_embed_pat").view({6, 6, 16});
  EXPECT_THAT(cells[5][2], equals_tensor(origin->state().at("pos_embed")[0][1 + 2 * 3 + 1]));

  // Its own files hold the joint table and the norm as well, unused.
  NamedTensors file = doubled->state();
  file["pos_embed"] = at::ones({1, 10, 16});
  file["norm.weight"] = file["norm.bias"] = at::ones({16});
  file["head.weight"] = at::ones({2, 16, 3, 3});
  const auto again = make(parameters, 3);
  EXPECT_TRUE(again->load_weights(file).complete());
  EXPECT_THAT(again->state().at("pos_embed_pat"), equals_tensor(doubled->state().at("pos_embed_pat")));
}

TEST(Vit, ReportsATableOfAnotherGrid) {
  const auto origin = make(tiny());
  VitParameters parameters = tiny();
  parameters.table_grid = 4;
  EXPECT_THAT(make(parameters, 2)->load_weights(origin->state()).misshapen, ElementsAre(HasSubstr("pos_embed")));
}

TEST(Vit, FitsItsTableByTheRule) {
  VitParameters parameters = tiny();
  const auto timm = make(parameters);
  EXPECT_EQ(tap(*timm, "embed", 12, 20).size(1), 1 + 3 * 5);
  parameters.position_table = "dino";
  const auto dino = make(parameters);
  EXPECT_THAT(tap(*dino, "embed"), equals_tensor(tap(*timm, "embed")));
  EXPECT_FALSE(at::allclose(tap(*dino, "embed", 12, 20), tap(*timm, "embed", 12, 20)));
}

TEST(Vit, RefusesOrDropsWhatNoPatchCovers) {
  VitParameters parameters = tiny();
  const auto timm = make(parameters);
  EXPECT_EQ(timm->size_multiple_px(), 4);
  EXPECT_THAT([&] { tap(*timm, "final", 12, 15); }, ThrowsMessage<UserError>(HasSubstr("`12 x 15`")));
  parameters.remainder = "drop";
  const auto toco = make(parameters);
  EXPECT_EQ(toco->size_multiple_px(), 1);
  FakeRun run;
  ForwardRequest request;
  request.run = &run;
  request.images_nchw = formula_input("images", {1, 3, 14, 15});
  const at::Tensor whole = toco->forward(request).taps.at("final");
  request.images_nchw = request.images_nchw.slice(2, 0, 12).slice(3, 0, 12);
  EXPECT_THAT(whole, all_close(toco->forward(request).taps.at("final"), 1e-6));
}

TEST(Vit, GivesRegistersNoPosition) {
  VitParameters parameters = tiny();
  parameters.register_tokens = 2;
  const auto network = make(parameters);
  const NamedTensors state = network->state();
  const at::Tensor embedded = tap(*network, "embed");
  EXPECT_THAT(embedded.slice(1, 1, 3), equals_tensor(state.at("register_tokens").expand({2, 2, 16})));
  EXPECT_THAT(embedded[0][0], equals_tensor(state.at("cls_token")[0][0] + state.at("pos_embed")[0][0]));
  const TokenLayout layout = network->token_layout(12, 16);
  EXPECT_EQ(layout.class_tokens, 1);
  EXPECT_EQ(layout.other_tokens, 2);
  EXPECT_EQ(layout.height * 10 + layout.width, 34);
}

TEST(Vit, AveragesTheClassifiersOfDistillation) {
  VitParameters parameters = tiny();
  parameters.distillation_token = true;
  const auto network = make(parameters);
  const at::Tensor tokens = tap(*network, "final");
  ASSERT_EQ(tokens.size(1), 2 + 9);
  EXPECT_THAT([&] { network->reference_logits(tokens); }, ThrowsMessage<UserError>(HasSubstr("no classifier")));
  const NamedTensors state = network->state();
  state.at("head.weight").fill_(1.0);
  state.at("head_dist.weight").fill_(3.0);
  state.at("head_dist.bias").fill_(0.5);
  const at::Tensor sums = tokens.sum(2);
  EXPECT_THAT(network->reference_logits(tokens).select(1, 7),
              all_close((sums.select(1, 0) + 3 * sums.select(1, 1) + 0.5) / 2, 1e-4));
}

TEST(Vit, MakesAMapOfItsCells) {
  VitParameters parameters = tiny();
  parameters.final = "map";
  const auto network = make(parameters);
  const NamedTensors both = taps(*network, {"tokens", "final"}, 12, 20);
  EXPECT_THAT(both.at("final"), has_shape({2, 16, 3, 5}));
  EXPECT_THAT(both.at("final").flatten(2).transpose(1, 2), equals_tensor(both.at("tokens").slice(1, 1)));
  EXPECT_EQ(find_tap(*network, "final").stride_px, 4);
  EXPECT_THAT([&] { network->reference_logits(both.at("final")); }, ThrowsMessage<UserError>(HasSubstr("map")));
  ForwardRequest rest;
  rest.from = FromTap{"tokens", both.at("tokens")};
  EXPECT_THAT([&] { network->forward(rest); }, ThrowsMessage<ContractError>(HasSubstr("how large")));
}

TEST(Vit, FreezesFromTheImageOn) {
  VitParameters parameters = tiny();
  const auto trained = [&] {
    std::vector<std::string> names;
    const Vit network(parameters, testing::generator());
    for (const auto& [name, tensor] : network.named_parameters()) {
      if (tensor.requires_grad()) names.push_back(name);
    }
    return names;
  };
  parameters.train_positions = false;
  auto names = trained();
  EXPECT_EQ(std::ranges::count(names, "pos_embed"), 0);
  EXPECT_EQ(std::ranges::count(names, "cls_token"), 1);
  EXPECT_EQ(std::ranges::count(names, "head.weight"), 0);  // serves reference_logits() alone
  parameters.frozen_stages = 2;
  names = trained();
  EXPECT_EQ(names.front(), "blocks.1.norm1.weight");
  parameters.frozen_stages = 3;
  EXPECT_THAT(trained(), ElementsAre("norm.weight", "norm.bias"));
}

TEST(Vit, GroupsItsParameters) {
  const Vit network(tiny(), testing::generator());
  std::map<std::string, std::size_t> sizes;
  for (const ParameterGroup& group : grouped_parameters(network, "pretrained")) {
    sizes[group.name] = group.parameters.size();
  }
  // Two blocks of four weights and biases and two norms, the patch convolution, the final norm, token and table.
  EXPECT_EQ(sizes.at("pretrained"), 2u * 4 + 1 + 2);
  EXPECT_EQ(sizes.at("pretrained_bias"), 2u * 4 + 1);
  EXPECT_EQ(sizes.at("pretrained_norm"), 2u * 4 + 2);
}

TEST(Vit, DropsPathsInTrainingAlone) {
  VitParameters parameters = tiny();
  parameters.drop_path = 0.9;
  const auto network = make(parameters);
  const at::Tensor evaluated = tap(*network, "final");
  network->train(true);
  const NamedTensors trained = taps(*network, {"block.0", "final"});
  network->train(false);
  EXPECT_FALSE(at::equal(trained.at("final"), evaluated));
  EXPECT_THAT(trained.at("block.0"), equals_tensor(tap(*network, "block.0")));  // the rate rises from 0
}

TEST(Vit, HasTheNormalisationOfItsFiles) {
  VitParameters parameters = tiny();
  EXPECT_EQ(make(parameters)->normalisation().mean[0], 0.485);
  parameters.normalisation = "half";
  EXPECT_EQ(make(parameters)->normalisation().mean[0], 0.5);
}

TEST(Vit, RefusesWhatDoesNotFitTogether) {
  VitParameters parameters = tiny();
  parameters.heads = 3;
  EXPECT_THAT([&] { make(parameters); }, ThrowsMessage<UserError>(HasSubstr("`3`")));
  parameters = tiny();
  parameters.class_tokens = 2;
  parameters.register_tokens = 1;
  EXPECT_THAT([&] { make(parameters); }, ThrowsMessage<UserError>(HasSubstr("`2`")));
  parameters = tiny();
  parameters.position_tables = "separate";
  parameters.distillation_token = true;
  EXPECT_THAT([&] { make(parameters); }, ThrowsMessage<UserError>(HasSubstr("joint")));
}

}  // namespace
}  // namespace seedbed::vit
