#include "text_tower.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clip_doubles.hpp"
#include "seedbed/error.hpp"
#include "support/formula_tensors.hpp"
#include "support/temp_folder.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::clip {
namespace {

using ::seedbed::testing::all_close;
using ::seedbed::testing::equals_tensor;
using ::seedbed::testing::formula_weight;
using ::seedbed::testing::generator;
using ::seedbed::testing::has_shape;
using ::seedbed::testing::TempFolder;
using ::testing::HasSubstr;
using testing::small_transformer;
using ::testing::ThrowsMessage;
using testing::VocabularyRun;

class TextTowerTest : public ::testing::Test {
 protected:
  TextTowerTest() : run_(folder_.write("vocabulary.txt", testing::kSmallVocabulary)), network_(make(run_)) {}

  static std::unique_ptr<Clip> make(VocabularyRun& run, const ClipParameters& parameters = small_transformer()) {
    auto network = std::make_unique<Clip>(parameters, run, generator());
    NamedTensors values;
    for (const auto& [name, tensor] : network->state()) values[name] = formula_weight(name, tensor.sizes());
    EXPECT_TRUE(network->load_weights(values).complete());
    return network;
  }

  TextTower& tower() { return *network_->text_tower(); }

  TempFolder folder_;
  VocabularyRun run_;
  std::unique_ptr<Clip> network_;
  c10::NoGradGuard no_grad_;
};

TEST_F(TextTowerTest, GivesUnitVectors) {
  const at::Tensor rows = tower().encode({"cat", "a cat", "dog"}, run_);
  EXPECT_THAT(rows, has_shape({3, 24}));
  EXPECT_THAT(rows.norm(2, 1), all_close(at::ones({3}), 1e-6));
  const at::Tensor embeddings = tower().forward(tower().token_ids({"a cat"})).embeddings_pd;
  EXPECT_THAT(rows.slice(0, 1, 2), all_close(embeddings / embeddings.norm(), 1e-6));
}

TEST_F(TextTowerTest, ReadsTheRowOfTheFirstEnd) {
  const at::Tensor ids = tower().token_ids({"cat"});
  EXPECT_THAT(ids, equals_tensor(at::tensor({514, 513, 515, 0, 0, 0, 0, 0}, at::kLong).view({1, 8})));
  // Later tokens are hidden, whatever they are.
  at::Tensor other = ids.clone();
  other.slice(1, 3).fill_(515);
  const TextFeatures features = tower().forward(ids), changed = tower().forward(other);
  EXPECT_THAT(changed.embeddings_pd, all_close(features.embeddings_pd, 1e-6));
  EXPECT_FALSE(at::allclose(changed.tokens_pld, features.tokens_pld));
  const NamedTensors state = network_->state();
  const at::Tensor row =
      at::layer_norm(features.tokens_pld.select(1, 2), {16}, state.at("ln_final.weight"), state.at("ln_final.bias"));
  EXPECT_THAT(features.embeddings_pd, all_close(at::matmul(row, state.at("text_projection")), 1e-6));
}

TEST_F(TextTowerTest, TakesManyPromptsInPieces) {
  std::vector<std::string> prompts(70, "dog");
  prompts[69] = "cat";
  const at::Tensor rows = tower().encode(prompts, run_);
  EXPECT_THAT(rows.slice(0, 69, 70), all_close(tower().encode({"cat"}, run_), 1e-6));
  run_.cancel();
  EXPECT_THROW(tower().encode(prompts, run_), Cancelled);
}

TEST_F(TextTowerTest, ReadsItsVocabularyOnceAndWhenItMust) {
  EXPECT_EQ(run_.asked, 0);
  tower().encode({"cat", "dog"}, run_);
  tower().token_ids({"cat"});
  EXPECT_EQ(run_.asked, 1);
}

TEST_F(TextTowerTest, MissesItsVocabularyOnlyForPrompts) {
  VocabularyRun none;
  const auto network = make(none);
  ForwardRequest request;
  request.images_nchw = at::zeros({1, 3, 64, 64});
  EXPECT_NO_THROW(network->forward(request));
  EXPECT_THAT([&] { network->text_tower()->encode({"cat"}, none); },
              ThrowsMessage<UserError>(HasSubstr("`vocabulary`")));
  EXPECT_NO_THROW(network->text_tower()->forward(tower().token_ids({"cat"})));
}

TEST_F(TextTowerTest, CutsLongPromptsOnlyIfTold) {
  EXPECT_THAT([&] { tower().encode({"cat cat cat cat cat cat cat"}, run_); },
              ThrowsMessage<UserError>(HasSubstr("`9` tokens")));
  ClipParameters parameters = small_transformer();
  parameters.truncate_prompts = true;
  const auto network = make(run_, parameters);
  EXPECT_EQ(network->text_tower()->token_ids({"cat cat cat cat cat cat cat"})[0][7].item<std::int64_t>(), 515);
}

TEST_F(TextTowerTest, RefusesIdsThatAreNone) {
  const at::Tensor ids = tower().token_ids({"cat"});
  for (const at::Tensor& wrong : {at::Tensor(), ids[0], ids.slice(1, 0, 7), ids.to(at::kInt), ids.slice(0, 0, 0),
                                  ids.clone().fill_(516), ids.clone().fill_(-1)}) {
    EXPECT_THAT([&] { tower().forward(wrong); }, ThrowsMessage<ContractError>(HasSubstr("token ids")));
  }
  EXPECT_THAT([&] { tower().forward(ids.clone().fill_(7)); }, ThrowsMessage<ContractError>(HasSubstr("end of text")));
  EXPECT_THAT([&] { tower().encode({}, run_); }, ThrowsMessage<ContractError>(HasSubstr("prompt")));
}

TEST_F(TextTowerTest, SaysWhatCosinesAreMultipliedBy) {
  EXPECT_NEAR(tower().logit_scale(), 1 / 0.07, 1e-4);
  at::Tensor stored = network_->state().at("logit_scale");
  stored.fill_(std::log(100.0));
  EXPECT_NEAR(tower().logit_scale(), 100, 1e-3);
}

TEST_F(TextTowerTest, GoesWithAClone) {
  const auto copy = network_->clone();
  const at::Tensor rows = copy->text_tower()->encode({"cat"}, run_);
  EXPECT_THAT(rows, equals_tensor(tower().encode({"cat"}, run_)));
  network_->state().at("text_projection").zero_();
  EXPECT_THAT(copy->text_tower()->encode({"cat"}, run_), equals_tensor(rows));
}

TEST_F(TextTowerTest, TakesNoGradients) {
  const c10::AutoGradMode with_gradients(true);
  EXPECT_FALSE(tower().encode({"cat"}, run_).requires_grad());
}

TEST_F(TextTowerTest, IsSilentWhereTheWeightsHoldNone) {
  NamedTensors image_only;
  for (const auto& [name, tensor] : network_->state()) {
    if (name.starts_with("visual.")) image_only[name] = tensor.clone();
  }
  EXPECT_TRUE(network_->load_weights(image_only).complete());
  const auto copy = network_->clone();
  for (Backbone* network : {static_cast<Backbone*>(network_.get()), copy.get()}) {
    TextTower& silent = *network->text_tower();
    EXPECT_THAT([&] { silent.encode({"cat"}, run_); }, ThrowsMessage<UserError>(HasSubstr("no text network")));
    EXPECT_THAT([&] { silent.logit_scale(); }, ThrowsMessage<UserError>(HasSubstr("no text network")));
    EXPECT_THAT(
        [&] {
          silent.forward(at::zeros({1, 8}, at::kLong));
        },
        ThrowsMessage<UserError>(HasSubstr("no text network")));
  }
  image_only["ln_final.weight"] = at::ones({16});
  EXPECT_EQ(network_->load_weights(image_only).missing.size(), 6u + 2 * 12 - 1);
  EXPECT_NO_THROW(tower().encode({"cat"}, run_));
}

}  // namespace
}  // namespace seedbed::clip
