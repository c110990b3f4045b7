#include "mit.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mit_block.hpp"
#include "reduced_attention.hpp"
#include "sdk/tensor/doubles.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::mit {
namespace {

using testing::all_close;
using ::testing::ElementsAre;
using testing::equals_tensor;
using testing::FakeRun;
using testing::formula_input;
using testing::has_shape;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

MitOptions small() { return {.widths = {8, 16, 40, 64}, .depths = {1, 1, 2, 1}, .strides = {4, 2, 2, 1}}; }

std::shared_ptr<Mit> make(const MitOptions& options, std::uint64_t seed = 1) {
  auto network = std::make_shared<Mit>(options, testing::generator(seed));
  network->set_requires_grad(false);
  return network;
}

class MitTest : public ::testing::Test {
 protected:
  MitTest() {
    request_.images_nchw = formula_input("images", {1, 3, 64, 96});
    request_.run = &run_;
  }
  FakeRun run_;
  ForwardRequest request_;
};

TEST_F(MitTest, HasFourStages) {
  const auto network = make(small());
  request_.keep = {"stage1", "stage2", "stage3", "stage4", "final", "block.2", "block3.0"};
  const NamedTensors taps = network->forward(request_).taps;
  EXPECT_THAT(taps.at("stage1"), has_shape({1, 8, 16, 24}));
  EXPECT_THAT(taps.at("stage3"), has_shape({1, 40, 4, 6}));
  EXPECT_THAT(taps.at("stage4"), has_shape({1, 64, 4, 6}));
  EXPECT_THAT(taps.at("final"), equals_tensor(taps.at("stage4")));
  EXPECT_THAT(taps.at("block.2"), equals_tensor(taps.at("block3.0")));
  EXPECT_EQ(find_tap(*network, "final").stride_px, 16);
}

TEST_F(MitTest, TakesStrides) {
  MitOptions options = small();
  options.strides = {4, 2, 2, 2};
  EXPECT_THAT(make(options)->forward(request_).taps.at("final"), has_shape({1, 64, 2, 3}));
  options.strides = {2, 2, 2, 2};
  EXPECT_EQ(make(options)->minimum_size_px(), 15);  // eight cells for the first reduction
  EXPECT_EQ(make(small())->minimum_size_px(), 29);
  options.strides = {4, 2, 2};
  EXPECT_THAT([&] { make(options); }, ThrowsMessage<UserError>(HasSubstr("`3`")));
}

// AFA averages the whole map over the query grid.
TEST_F(MitTest, AveragesUnscaledProductsOverTheQueryGrid) {
  const auto network = make(small());
  for (const auto& [name, tensor] : network->state()) {
    if (name.ends_with("q.weight") || name.ends_with("kv.weight")) tensor.mul_(20);
  }
  AttentionBlockPlan& plan = request_.attention.blocks.emplace_back();
  plan.blocks = {0, 4};
  plan.exports = {"q", "k", "raw", "unscaled", "soft"};
  const NamedTensors found = network->forward(request_).attention;
  const at::Tensor all = at::matmul(found.at("block.0.q"), found.at("block.0.k").transpose(2, 3));  // [1,1,384,6]
  const at::Tensor grid = all.transpose(2, 3).reshape({1, 6, 16, 24});
  EXPECT_THAT(found.at("block.0.unscaled"),
              all_close(at::avg_pool2d(grid, 8, 8).flatten(2).transpose(1, 2).unsqueeze(1), 1e-4));
  EXPECT_THAT(found.at("block.0.soft"), has_shape({1, 1, 384, 6}));
  EXPECT_THAT(found.at("block.4.unscaled"), all_close(found.at("block.4.raw") * std::sqrt(8.0), 1e-4));
}

TEST_F(MitTest, RefusesPlansThatItsReductionsCannotServe) {
  const auto network = make(small());
  AttentionBlockPlan& plan = request_.attention.blocks.emplace_back();
  plan.blocks = {0};
  plan.terms = {{'v', 'v'}};
  EXPECT_THAT([&] { network->forward(request_); }, ThrowsMessage<ContractError>(HasSubstr("spatially reduced")));
  plan.terms = {};
  request_.attention.beside_original = true;
  EXPECT_THAT([&] { network->forward(request_); }, ThrowsMessage<UserError>(HasSubstr("no second path")));
}

TEST_F(MitTest, ReadsTheEncoderOfALargerNetwork) {
  const auto origin = make(small());
  NamedTensors file;
  for (const auto& [name, tensor] : origin->state()) {
    if (!name.starts_with("head.")) file["module.encoder." + name] = tensor;
  }
  file["module.decoder.linear_c1.proj.weight"] = at::ones({2, 2});
  const auto other = make(small(), 2);
  EXPECT_TRUE(other->load_weights(file).complete());
  EXPECT_THAT(other->forward(request_).taps.at("final"), equals_tensor(origin->forward(request_).taps.at("final")));
  file.erase("module.encoder.norm4.weight");
  EXPECT_THAT(other->load_weights(file).missing, ElementsAre("norm4.weight"));
}

TEST_F(MitTest, ClassifiesWhereWeightsHoldAClassifier) {
  const auto network = make(small());
  const at::Tensor final_tap = network->forward(request_).taps.at("final");
  EXPECT_THAT([&] { network->reference_logits(final_tap); }, ThrowsMessage<UserError>(HasSubstr("no classifier")));
  network->state().at("head.weight").fill_(1.0);
  EXPECT_THAT(network->reference_logits(final_tap).select(1, 3), all_close(final_tap.mean({2, 3}).sum(1), 1e-4));
}

TEST_F(MitTest, FreezesStagesAndDropsPaths) {
  MitOptions options = small();
  options.frozen_stages = 3;
  options.drop_path = 0.9;
  Mit network(options, testing::generator());
  std::vector<std::string> trained;
  for (const auto& [name, tensor] : network.named_parameters()) {
    if (tensor.requires_grad()) trained.push_back(name);
  }
  EXPECT_EQ(trained.front(), "patch_embed4.proj.weight");
  EXPECT_EQ(trained.back(), "norm4.bias");
  network.set_requires_grad(false);
  const at::Tensor evaluated = network.forward(request_).taps.at("final");
  network.train(true);
  EXPECT_FALSE(at::equal(network.forward(request_).taps.at("final"), evaluated));
}

}  // namespace
}  // namespace seedbed::mit
