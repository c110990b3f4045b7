#include "seedbed/activation_checkpointing.hpp"

#include <functional>

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "doubles.hpp"
#include "seedbed/convolution_unit.hpp"
#include "seedbed/transformer.hpp"
#include "support/allocation_meter.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed {
namespace {

using testing::AllocationMeter;
using testing::equals_tensor;
using testing::FakeRun;
using testing::formula_input;
using testing::generator;

/// Counts how often it is computed, first and again.
class CheckpointedTest : public ::testing::Test {
 protected:
  NamedTensors checkpointed_product(const NamedTensors& inputs) {
    const CheckpointedSegment segment = [this](const NamedTensors& given, bool again) {
      ++(again ? again_ : first_);
      const at::Tensor noise = at::rand({3}, run_.generator()) + at::rand({3});
      return NamedTensors{{"product", given.at("x") * weight_ * noise}, {"noise", noise}};
    };
    return checkpointed(segment, inputs, run_);
  }

  FakeRun run_;
  at::Tensor weight_ = at::tensor({2.0f, 3.0f, 4.0f}).requires_grad_(true);
  at::Tensor x_ = at::tensor({1.0f, -1.0f, 0.5f}).requires_grad_(true);
  int first_ = 0;
  int again_ = 0;
};

TEST_F(CheckpointedTest, ComputesAgainWithTheSameRandomNumbers) {
  const NamedTensors outputs = checkpointed_product({{"x", x_}});
  const at::Tensor noise = outputs.at("noise");
  EXPECT_FALSE(noise.requires_grad());
  const at::Tensor own_before = run_.generator().get_state();
  const at::Tensor global_before = at::globalContext().defaultGenerator(at::kCPU).get_state();
  EXPECT_EQ(again_, 0);
  outputs.at("product").sum().backward();
  EXPECT_EQ(first_, 1);
  EXPECT_EQ(again_, 1);
  EXPECT_THAT(x_.grad(), equals_tensor(weight_ * noise));
  EXPECT_THAT(weight_.grad(), equals_tensor(x_ * noise));
  EXPECT_THAT(run_.generator().get_state(), equals_tensor(own_before));
  EXPECT_THAT(at::globalContext().defaultGenerator(at::kCPU).get_state(), equals_tensor(global_before));
}

TEST_F(CheckpointedTest, IsPlainWithoutGradients) {
  const c10::NoGradGuard no_grad;
  EXPECT_FALSE(checkpointed_product({{"x", x_}}).at("product").requires_grad());
  EXPECT_EQ(first_, 1);
}

TEST_F(CheckpointedTest, GivesGradientsToWhoAsksForThem) {
  const at::Tensor inner = x_ * 2;  // no leaf
  const NamedTensors outputs = checkpointed_product({{"x", inner}});
  const auto gradients = torch::autograd::grad({outputs.at("product").sum()}, {inner, weight_});
  EXPECT_THAT(gradients[0], equals_tensor(weight_ * outputs.at("noise")));
  EXPECT_THAT(gradients[1], equals_tensor(inner * outputs.at("noise")));
  EXPECT_FALSE(weight_.grad().defined());
}

TEST_F(CheckpointedTest, GoesBackwardTwice) {
  const auto cube = [&](const NamedTensors& given, bool) {
    return NamedTensors{{"y", given.at("x").pow(3) * weight_}};
  };
  const at::Tensor y = checkpointed(cube, {{"x", x_ * 1}}, run_).at("y");
  const at::Tensor slope = torch::autograd::grad({y.sum()}, {x_}, {}, true, /*create_graph=*/true)[0];
  EXPECT_THAT(slope, testing::all_close(3 * x_.square() * weight_, 1e-6));
  slope.sum().backward();
  EXPECT_THAT(x_.grad(), testing::all_close(6 * x_ * weight_, 1e-6));
  EXPECT_THAT(weight_.grad(), testing::all_close(3 * x_.square(), 1e-6));
}

TEST_F(CheckpointedTest, ComputesAgainUnderTheSameAutocast) {
  std::vector<at::ScalarType> types;
  const auto segment = [&](const NamedTensors& given, bool) {
    const at::Tensor y = at::matmul(given.at("x").view({1, 3}), weight_.view({3, 1}));
    types.push_back(y.scalar_type());
    return NamedTensors{{"y", y}};
  };
  at::autocast::set_autocast_enabled(at::kCPU, true);
  at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
  const at::Tensor y = checkpointed(segment, {{"x", x_}}, run_).at("y");
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(at::kCPU, false);
  y.sum().backward();
  EXPECT_EQ(types, (std::vector<at::ScalarType>{at::kBFloat16, at::kBFloat16}));
  EXPECT_FALSE(at::autocast::is_autocast_enabled(at::kCPU));
  EXPECT_EQ(weight_.grad().scalar_type(), at::kFloat);
}

/// A network in several segments, with everything that a second computation could get wrong.
class CheckpointedChainTest : public ::testing::Test {
 protected:
  class Net : public Module {
   public:
    using Module::register_module;
  };

  void add_convolutions(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string index = std::to_string(i);
      const auto layer = net_.register_module(
          "conv" + index, std::make_shared<Conv2d>(Conv2dOptions{i == 0 ? 3 : 8, 8, 3, 1, 1}, rng_));
      const auto norm = net_.register_module("norm" + index, std::make_shared<BatchNorm2d>(8));
      const auto dropout = net_.register_module("drop" + index, std::make_shared<Dropout>(0.3, true));
      const ConvolutionUnit unit(layer, norm, Activation::relu, chain_,
                                 {"conv" + index, "norm" + index, "relu" + index});
      chain_.add_step([unit](const at::Tensor& x, const ForwardRequest& request) { return unit.forward(x, request); });
      chain_.add_step([dropout](const at::Tensor& x, const ForwardRequest& request) {
        return dropout->forward(x, request.run->generator());
      });
      chain_.end_segment();
      chain_.add_tap({"stage" + index, {}, 8, 1, false});
    }
    net_.train(true);
  }

  void add_blocks(int count) {
    chain_.add_step([](const at::Tensor& x, const ForwardRequest&) { return x.flatten(2).transpose(1, 2); });
    for (int i = 0; i < count; ++i) {
      const TransformerBlockOptions options{.width = 8, .heads = 2, .mlp_width = 16, .drop_path = 0.2};
      const auto block =
          net_.register_module("block" + std::to_string(i), std::make_shared<TransformerBlock>(options, rng_));
      add_transformer_block(chain_, block, "blocks." + std::to_string(i));
    }
    net_.train(true);
  }

  /// Gradients of everything, and the statistics afterwards, of one training step.
  NamedTensors step(bool checkpoints, std::int64_t size = 12) {
    FakeRun run;
    run.checkpoint_activations(checkpoints);
    ForwardRequest request;
    request.images_nchw = formula_input("images", {2, channels_, size, size}).set_requires_grad(true);
    request.run = &run;
    request.keep = keep_;
    request.batch_norm = BatchNormMode::batch;
    request.attention = plan_;
    for (const auto& [name, buffer] : net_.named_buffers()) buffer.fill_(name.ends_with("var") ? 1 : 0);
    for (const auto& [name, parameter] : net_.named_parameters()) parameter.mutable_grad().reset();
    NamedTensors results;
    const AllocationMeter meter;
    {
      ForwardResult result = chain_.run(request);
      at::Tensor loss;
      for (const NamedTensors* values : {&result.taps, &result.attention}) {
        for (const auto& [name, value] : *values) {
          results[name] = value.detach().clone();
          loss = loss.defined() ? loss + value.square().mean() : value.square().mean();
        }
      }
      loss.backward();
    }
    peak_bytes_ = meter.peak_bytes();
    results["images.grad"] = request.images_nchw.grad();
    for (const auto& [name, parameter] : net_.named_parameters()) results[name + ".grad"] = parameter.grad();
    for (const auto& [name, buffer] : net_.named_buffers()) results[name] = buffer.clone();
    results["generator"] = run.generator().get_state();
    return results;
  }

  // Where a value is used twice, the graph sums its gradients in another order than a segment does.
  void expect_same_step(double tolerance = 0) {
    const NamedTensors plain = step(false), checkpointed = step(true);
    ASSERT_EQ(plain.size(), checkpointed.size());
    for (const auto& [name, value] : plain) {
      ASSERT_EQ(value.defined(), checkpointed.at(name).defined()) << name;
      if (!value.defined()) continue;
      EXPECT_THAT(checkpointed.at(name).to(at::kDouble), testing::all_close(value.to(at::kDouble), tolerance)) << name;
    }
  }

  at::Generator rng_ = generator();
  Net net_;
  StepChain chain_;
  std::int64_t channels_ = 3;
  std::vector<std::string> keep_;
  AttentionPlan plan_;
  std::int64_t peak_bytes_ = 0;
};

TEST_F(CheckpointedChainTest, GivesConvolutionsTheSameStep) {
  add_convolutions(4);
  keep_ = {"stage1", "stage3"};
  expect_same_step();
}

TEST_F(CheckpointedChainTest, GivesTransformersTheSameStepWithExports) {
  add_convolutions(1);
  add_blocks(4);
  keep_ = {"block.1", "block.3"};
  plan_.blocks.push_back(
      {.blocks = {0, 2}, .exports = {"raw", "q"}, .head_reduction = "none", .terms = {}, .external_ll = {}});
  expect_same_step(1e-6);
}

TEST_F(CheckpointedChainTest, CarriesASecondPath) {
  add_convolutions(1);
  add_blocks(3);
  chain_.add_pass_step([](const at::Tensor& value, StepChain::Pass& pass) { return behind_blocks(value, pass) * 1; });
  chain_.add_tap({"final", {}, 8, 0, true});
  keep_ = {"final"};
  plan_.beside_original = true;
  plan_.blocks.push_back(
      {.blocks = {-2, -1}, .exports = {}, .head_reduction = "none", .terms = {{'v', 'v', 1.0}}, .external_ll = {}});
  expect_same_step();
}

TEST_F(CheckpointedChainTest, HoldsLess) {
  add_convolutions(8);
  keep_ = {"stage7"};
  step(false, 32);
  const std::int64_t plain = peak_bytes_;
  step(true, 32);
  // Eight units hold about two maps each (and masks); checkpointed, one each and one unit's worth on top.
  EXPECT_LT(peak_bytes_, 0.6 * static_cast<double>(plain)) << plain;
}

class Passive : public SiteRewriter {
 public:
  at::Tensor rewrite(const Site&, const at::Tensor& input,
                     const std::function<at::Tensor(const at::Tensor&)>& original) override {
    ++calls;
    return original(input);
  }
  int calls = 0;
};

TEST_F(CheckpointedChainTest, KeepsEverythingForARewriter) {
  add_convolutions(2);
  FakeRun run;
  run.checkpoint_activations(true);
  at::Tensor value;
  int calls = 0;
  {
    Passive rewriter;
    ForwardRequest request;
    request.images_nchw = formula_input("images", {1, 3, 8, 8});
    request.run = &run;
    request.keep = {"stage1"};
    request.rewriter = &rewriter;
    value = chain_.run(request).taps.at("stage1");
    calls = rewriter.calls;
  }
  value.sum().backward();  // the rewriter is gone
  EXPECT_EQ(calls, 6);
  EXPECT_TRUE(net_.named_parameters().front().second.grad().defined());
}

TEST_F(CheckpointedChainTest, LeavesOutAnExternalMapWithAGraph) {
  channels_ = 8;
  add_blocks(2);
  keep_ = {"block.1"};
  const at::Tensor external = at::zeros({144, 144}).requires_grad_(true);
  plan_.blocks.push_back(
      {.blocks = {0, 1}, .exports = {}, .head_reduction = "none", .terms = {}, .external_ll = external * 1});
  step(true);
  EXPECT_TRUE(external.grad().defined());
}

}  // namespace
}  // namespace seedbed
