#include "seedbed/fine_tuning.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "doubles.hpp"
#include "seedbed/layers.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed {
namespace {

using testing::all_close;
using testing::formula_input;

class FineTuningTest : public ::testing::Test {
 protected:
  FineTunedBackbone fine_tuned(const std::string& freeze, bool batch_statistics = false) {
    FineTuningOptions options;
    options.freeze_backbone = freeze;
    options.batch_statistics = batch_statistics;
    options.bias_learning_rate_factor = 2.0;
    return {backbone_, options};
  }

  std::shared_ptr<testing::TinyBackbone> backbone_ = std::make_shared<testing::TinyBackbone>(testing::generator());
  at::Tensor images_ = formula_input("images", {2, 3, 17, 12});
  testing::FakeRun run_;
};

TEST_F(FineTuningTest, GivesTheSameTapsHoweverMuchIsFrozen) {
  const std::vector<std::string> names{"stage1", "final"};
  const NamedTensors plain = fine_tuned("none").taps(images_, names, &run_);
  for (const char* freeze : {"stage1", "all"}) {
    const NamedTensors taps = fine_tuned(freeze).taps(images_, names, &run_);
    for (const std::string& name : names) EXPECT_THAT(taps.at(name), all_close(plain.at(name), 1e-6)) << freeze;
  }
}

class Halver : public SiteRewriter {
 public:
  at::Tensor rewrite(const Site& site, const at::Tensor& input,
                     const std::function<at::Tensor(const at::Tensor&)>& original) override {
    sites.push_back(site.name);
    return original(input) * 0.5;
  }
  std::vector<std::string> sites;
};

TEST_F(FineTuningTest, RewritesFrozenAndTrainedPartsAlike) {
  Halver whole;
  const at::Tensor plain = fine_tuned("none").taps(images_, {"final"}, &run_, &whole).at("final");
  for (const char* freeze : {"stage1", "all"}) {
    Halver halver;
    EXPECT_THAT(fine_tuned(freeze).taps(images_, {"final"}, &run_, &halver).at("final"), all_close(plain, 1e-6));
    EXPECT_EQ(halver.sites, whole.sites) << freeze;
  }
}

TEST_F(FineTuningTest, StopsGradientsAtTheCut) {
  const NamedTensors cut = fine_tuned("stage1").taps(images_, {"stage1", "final"}, &run_);
  EXPECT_FALSE(cut.at("stage1").requires_grad());
  EXPECT_TRUE(cut.at("final").requires_grad());
  EXPECT_FALSE(fine_tuned("all").taps(images_, {"final"}, &run_).at("final").requires_grad());
}

TEST_F(FineTuningTest, UsesBatchStatisticsInTrainingOnly) {
  const FineTunedBackbone tuned = fine_tuned("none", true);
  const at::Tensor tracked = backbone_->state().at("norm.num_batches_tracked");
  tuned.taps(images_, {"final"}, &run_);
  EXPECT_EQ(tracked.item<std::int64_t>(), 0);
  backbone_->train(true);
  tuned.taps(images_, {"final"}, &run_);
  EXPECT_EQ(tracked.item<std::int64_t>(), 1);
}

TEST_F(FineTuningTest, KeepsAFrozenBackboneInEvaluationMode) {
  FineTunedBackbone tuned = fine_tuned("all");
  backbone_->train(true);
  tuned.keep_frozen_part_evaluating();
  EXPECT_FALSE(backbone_->is_training());
}

TEST_F(FineTuningTest, GroupsOldAndNewWithTheirFactors) {
  const Conv2d added({8, 3, 1}, testing::generator());
  std::map<std::string, double> factors;
  for (const ParameterGroup& group : fine_tuned("none").parameter_groups({&added})) {
    factors[group.name] = group.learning_rate_factor;
  }
  EXPECT_EQ(factors.at("pretrained"), 1.0);
  EXPECT_EQ(factors.at("pretrained_bias"), 2.0);
  EXPECT_EQ(factors.at("new"), 10.0);
  EXPECT_EQ(factors.at("new_bias"), 20.0);
  EXPECT_FALSE(factors.contains("new_norm"));
  backbone_->mark_new({"norm.weight", "norm.bias"});  // in a file without them
  for (const ParameterGroup& group : fine_tuned("none").parameter_groups({&added})) {
    factors[group.name] = group.learning_rate_factor;
  }
  EXPECT_EQ(factors.at("new_norm"), 10.0);
  EXPECT_EQ(fine_tuned("all").parameter_groups({&added}).size(), 2u);
}

}  // namespace
}  // namespace seedbed
