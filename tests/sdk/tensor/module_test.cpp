#include "seedbed/module.hpp"

#include <map>
#include <string>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "doubles.hpp"
#include "seedbed/trainable.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed {
namespace {

using ::testing::ElementsAre;
using testing::equals_tensor;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class Leaf : public Module {
 public:
  Leaf() {
    weight = register_parameter("weight", at::ones({2, 3}));
    count = register_buffer("count", at::zeros({1}));
  }
  at::Tensor weight, count;
  int mode_changes = 0;

 protected:
  void on_train_mode(bool) override { ++mode_changes; }
};

class Tree : public Module {
 public:
  Tree() {
    first = register_module("first", std::make_shared<Leaf>());
    scale = register_parameter("scale", at::ones({1}));
    second = register_module("second", std::make_shared<Leaf>());
  }
  void add(std::string name) { register_buffer(std::move(name), at::zeros({1})); }
  void add_missing() { register_module("missing", std::shared_ptr<Leaf>()); }
  std::shared_ptr<Leaf> first, second;
  at::Tensor scale;
};

std::vector<std::string> names(const std::vector<std::pair<std::string, at::Tensor>>& entries) {
  std::vector<std::string> all;
  for (const auto& [name, tensor] : entries) all.push_back(name);
  return all;
}

TEST(Module, NamesParentsBeforeChildrenInOrder) {
  const Tree tree;
  EXPECT_THAT(names(tree.named_parameters()), ElementsAre("scale", "first.weight", "second.weight"));
  EXPECT_THAT(names(tree.named_buffers()), ElementsAre("first.count", "second.count"));
  EXPECT_EQ(tree.state().size(), 5u);
}

TEST(Module, SharesItsTensors) {
  const Tree tree;
  const c10::NoGradGuard no_grad;
  tree.state().at("first.weight").fill_(7);
  EXPECT_EQ(tree.first->weight[1][2].item<float>(), 7);
}

TEST(Module, RefusesNamesThatAreTakenOrDotted) {
  Tree tree;
  EXPECT_THAT([&] { tree.add("scale"); }, ThrowsMessage<ContractError>(HasSubstr("`scale` again")));
  EXPECT_THAT([&] { tree.add("first"); }, ThrowsMessage<ContractError>(HasSubstr("registered once")));
  EXPECT_THAT([&] { tree.add("a.b"); }, ThrowsMessage<ContractError>(HasSubstr("without dots")));
  EXPECT_THAT([&] { tree.add(""); }, ThrowsMessage<ContractError>(HasSubstr("one word")));
  EXPECT_THAT([&] { tree.add_missing(); }, ThrowsMessage<ContractError>(HasSubstr("null under `missing`")));
}

TEST(Module, ReportsWhatDoesNotFitAndLoadsTheRest) {
  Tree tree;
  const StateReport report = tree.load_state({{"first.weight", at::full({2, 3}, 4.0)},
                                              {"second.weight", at::zeros({3, 2})},
                                              {"first.count", at::full({1}, 9, at::kHalf)},
                                              {"second.count", at::zeros({1})},
                                              {"other", at::zeros({1})}});
  EXPECT_FALSE(report.complete());
  EXPECT_THAT(report.missing, ElementsAre("scale"));
  EXPECT_THAT(report.extra, ElementsAre("other"));
  EXPECT_THAT(report.misshapen, ElementsAre("second.weight: `[3, 2]` in the file, `[2, 3]` in the module"));
  EXPECT_THAT(tree.first->weight.detach(), equals_tensor(at::full({2, 3}, 4.0)));
  EXPECT_THAT(tree.second->weight.detach(), equals_tensor(at::ones({2, 3})));
  EXPECT_EQ(tree.first->count.item<float>(), 9);
  EXPECT_TRUE(tree.first->weight.requires_grad());
}

TEST(Module, SavedAndLoadedIsEqual) {
  const Tree tree;
  NamedTensors saved;
  for (const auto& [name, tensor] : tree.state()) saved[name] = tensor.detach().clone().mul_(3);
  Tree other;
  EXPECT_TRUE(other.load_state(saved).complete());
  for (const auto& [name, tensor] : other.state()) EXPECT_THAT(tensor.detach(), equals_tensor(saved.at(name)));
}

TEST(Module, CopiesValuesFlagsAndMode) {
  Tree source, target;
  source.load_state({{"scale", at::full({1}, 5.0)}});
  source.first->set_requires_grad(false);
  source.train(true);
  target.copy_from(source);
  EXPECT_EQ(target.scale.item<float>(), 5);
  EXPECT_FALSE(target.first->weight.requires_grad());
  EXPECT_TRUE(target.second->weight.requires_grad());
  EXPECT_TRUE(target.second->is_training());
  EXPECT_FALSE(target.scale.is_same(source.scale));
  Leaf other;
  EXPECT_THAT([&] { other.copy_from(source); }, ThrowsMessage<ContractError>(HasSubstr("same structure")));
}

TEST(Module, PassesTheTrainModeDown) {
  Tree tree;
  EXPECT_FALSE(tree.is_training());
  tree.train(true);
  EXPECT_TRUE(tree.second->is_training());
  EXPECT_EQ(tree.second->mode_changes, 1);
}

TEST(Module, MovesInPlace) {
  Tree tree;
  const at::Tensor member = tree.first->weight;
  tree.to(c10::kCPU);
  EXPECT_TRUE(member.is_same(tree.state().at("first.weight")));
  EXPECT_TRUE(member.requires_grad());
  EXPECT_THAT(member.detach(), equals_tensor(at::ones({2, 3})));
}

TEST(GroupedParameters, SeparateWeightsBiasesAndNorms) {
  testing::TinyBackbone backbone(testing::generator());
  const auto groups = grouped_parameters(backbone, "pretrained");
  ASSERT_EQ(groups.size(), 3u);
  EXPECT_EQ(groups[0].name, "pretrained");
  EXPECT_EQ(groups[0].parameters.size(), 4u);  // two convolutions, qkv, proj
  EXPECT_EQ(groups[1].name, "pretrained_bias");
  EXPECT_EQ(groups[1].parameters.size(), 4u);
  EXPECT_EQ(groups[2].name, "pretrained_norm");
  EXPECT_EQ(groups[2].parameters.size(), 2u);
  backbone.set_requires_grad(false);
  EXPECT_TRUE(grouped_parameters(backbone, "pretrained").empty());
}

TEST(GroupedParameters, TellWhatIsNewApart) {
  testing::TinyBackbone backbone(testing::generator());
  backbone.mark_new({"conv2.weight", "conv2.bias", "norm.bias"});
  std::map<std::string, std::size_t> sizes;
  for (const ParameterGroup& group : grouped_parameters(backbone, "pretrained")) {
    sizes[group.name] = group.parameters.size();
  }
  EXPECT_EQ(sizes, (std::map<std::string, std::size_t>{{"pretrained", 3},
                                                       {"pretrained_bias", 3},
                                                       {"pretrained_norm", 1},
                                                       {"new", 1},
                                                       {"new_bias", 1},
                                                       {"new_norm", 1}}));
  EXPECT_EQ(grouped_parameters(backbone, "new").size(), 3u);
  EXPECT_THAT(backbone.clone()->new_parameters(), ElementsAre("conv2.weight", "conv2.bias", "norm.bias"));
  EXPECT_THAT([&] { backbone.mark_new({"norm.running_mean"}); },
              ThrowsMessage<ContractError>(HasSubstr("`norm.running_mean`")));
  EXPECT_THAT([&] { backbone.mark_new({"none.weight"}); }, ThrowsMessage<ContractError>(HasSubstr("`none.weight`")));
}

}  // namespace
}  // namespace seedbed
