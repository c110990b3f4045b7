#include "seedbed/convolution_unit.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "doubles.hpp"
#include "seedbed/checks.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed {
namespace {

using testing::all_close;
using ::testing::ElementsAre;
using testing::equals_tensor;
using testing::FakeRun;
using testing::formula_input;
using testing::generator;

class Recorder : public SiteRewriter {
 public:
  at::Tensor rewrite(const Site& site, const at::Tensor& input,
                     const std::function<at::Tensor(const at::Tensor&)>& original) override {
    names.push_back(site.name);
    inputs.push_back(input);
    copies.push_back(input.clone());
    return original(input);
  }
  std::vector<std::string> names;
  std::vector<at::Tensor> inputs, copies;
};

class ConvolutionUnitTest : public ::testing::Test {
 protected:
  ConvolutionUnitTest() {
    const c10::NoGradGuard no_grad;
    norm_->running_mean.copy_(formula_input("mean", {6}));
    norm_->running_var.copy_(formula_input("var", {6}).abs() + 0.5);
    norm_->weight.copy_(formula_input("weight", {6}));
    norm_->bias.copy_(formula_input("bias", {6}));
  }

  at::Tensor expected(const at::Tensor& addend = {}) const {
    at::Tensor value = at::conv2d(images_, layer_->weight, layer_->bias, 1, 1);
    value = at::batch_norm(value, norm_->weight, norm_->bias, norm_->running_mean, norm_->running_var, false, 0.1, 1e-5,
                           false);
    return (addend.defined() ? value + addend : value).relu();
  }

  at::Generator rng_ = generator();
  std::shared_ptr<Conv2d> layer_ = std::make_shared<Conv2d>(Conv2dOptions{3, 6, 3, 1, 1}, rng_);
  std::shared_ptr<BatchNorm2d> norm_ = std::make_shared<BatchNorm2d>(6);
  StepChain chain_;
  ConvolutionUnit unit_{layer_, norm_, Activation::relu, chain_, {"conv", "norm", "relu"}};
  at::Tensor images_ = formula_input("images", {2, 3, 5, 7});
  at::Tensor addend_ = formula_input("addend", {2, 6, 5, 7});
  ForwardRequest request_;
};

TEST_F(ConvolutionUnitTest, FoldsTheNormWhereNothingLooks) {
  const InputGuard guard({{"images", images_}, {"addend", addend_}}, /*thorough=*/true);
  const c10::NoGradGuard no_grad;
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    const at::Tensor images = images_.contiguous(format);
    EXPECT_THAT(unit_.forward(images, request_), all_close(expected(), 1e-6, 1e-6));
    EXPECT_THAT(unit_.forward(images, request_, addend_), all_close(expected(addend_), 1e-6, 1e-6));
  }
  guard.verify("unit");
}

TEST_F(ConvolutionUnitTest, FollowsItsParametersAtOnce) {
  const c10::NoGradGuard no_grad;
  unit_.forward(images_, request_);
  norm_->running_mean.add_(1);
  layer_->weight.mul_(2);
  EXPECT_THAT(unit_.forward(images_, request_), all_close(expected(), 1e-6, 1e-6));
}

TEST_F(ConvolutionUnitTest, ComputesTheSameForGradientsAndRewriters) {
  const at::Tensor with_graph = unit_.forward(images_, request_, addend_);
  EXPECT_THAT(with_graph, equals_tensor(expected(addend_)));
  EXPECT_TRUE(with_graph.requires_grad());
  Recorder recorder;
  request_.rewriter = &recorder;
  const c10::NoGradGuard no_grad;
  EXPECT_THAT(unit_.forward(images_, request_, addend_), equals_tensor(expected(addend_)));
  EXPECT_THAT(recorder.names, ElementsAre("conv", "norm", "relu"));
  // What the rewriter was shown is left as it was.
  for (std::size_t i = 0; i < recorder.inputs.size(); ++i) {
    EXPECT_THAT(recorder.inputs[i], equals_tensor(recorder.copies[i])) << recorder.names[i];
  }
}

TEST_F(ConvolutionUnitTest, KeepsBatchStatistics) {
  const c10::NoGradGuard no_grad;
  request_.batch_norm = BatchNormMode::batch;
  const at::Tensor value = unit_.forward(images_, request_);
  EXPECT_EQ(norm_->num_batches_tracked.item<std::int64_t>(), 1);
  EXPECT_FALSE(at::allclose(value, expected()));
}

TEST_F(ConvolutionUnitTest, WorksWithoutNormAndActivation) {
  const ConvolutionUnit bare(layer_, nullptr, Activation::none, chain_, {"bare", "", ""});
  EXPECT_EQ(chain_.sites().size(), 4u);
  const c10::NoGradGuard no_grad;
  const at::Tensor convolved = at::conv2d(images_, layer_->weight, layer_->bias, 1, 1);
  EXPECT_THAT(bare.forward(images_, request_), equals_tensor(convolved));
  EXPECT_THAT(bare.forward(images_, request_, addend_), equals_tensor(convolved + addend_));
}

at::Tensor activated(const at::Tensor& value, Activation activation) {
  if (activation == Activation::relu) return value.relu();
  return activation == Activation::relu6 ? value.clamp(0, 6) : value;
}

TEST_F(ConvolutionUnitTest, ActivatesWithinAConvolutionWithoutNorm) {
  const c10::NoGradGuard no_grad;
  const at::Tensor images = formula_input("large", {2, 8, 45, 37}) * 4;
  for (const Conv2dOptions& options : {Conv2dOptions{.in_channels = 8, .out_channels = 6},
                                       Conv2dOptions{8, 6, 3, 2, 2, 2, 2}, Conv2dOptions{8, 6, 3, 1, 1, 1, 1, false}}) {
    const auto layer = std::make_shared<Conv2d>(options, rng_);
    for (const Activation activation : {Activation::none, Activation::relu, Activation::relu6}) {
      StepChain chain;
      const ConvolutionUnit unit(layer, nullptr, activation, chain, {"conv", "", "activation"});
      const at::Tensor wanted = activated(layer->forward(images), activation);
      for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
        EXPECT_THAT(unit.forward(images.contiguous(format), request_), all_close(wanted, 1e-6, 1e-6));
      }
      EXPECT_THAT(unit.forward(images, request_, wanted),
                  all_close(activated(layer->forward(images) + wanted, activation), 1e-6, 1e-6));
    }
  }
}

TEST_F(ConvolutionUnitTest, NormsAndActivatesWhatOthersKeep) {
  const Site norm_site{"n", "norm", 0, 6}, relu_site{"r", "activation", 1, 6};
  const at::Tensor before = addend_.clone();
  const at::Tensor wanted = at::batch_norm(addend_, norm_->weight, norm_->bias, norm_->running_mean, norm_->running_var,
                                           false, 0.1, 1e-5, false)
                                .clamp(0, 6);
  EXPECT_THAT(normed_at_sites(request_, norm_site, *norm_, relu_site, Activation::relu6, addend_),
              equals_tensor(wanted));
  const c10::NoGradGuard no_grad;
  EXPECT_THAT(normed_at_sites(request_, norm_site, *norm_, relu_site, Activation::relu6, addend_),
              all_close(wanted, 1e-6));
  EXPECT_THAT(addend_, equals_tensor(before));
}

TEST_F(ConvolutionUnitTest, LaysOutParametersWithoutChangingThem) {
  const at::Tensor before = layer_->weight.detach().clone();
  lay_out_channels_last(*layer_);
  EXPECT_TRUE(layer_->weight.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_TRUE(layer_->weight.requires_grad());
  EXPECT_THAT(layer_->weight, equals_tensor(before));
  layer_->to(at::kCPU);
  EXPECT_TRUE(layer_->state().at("weight").is_contiguous(at::MemoryFormat::ChannelsLast));
}

TEST_F(ConvolutionUnitTest, LaysOutImagesButNotTaps) {
  request_.images_nchw = images_;
  EXPECT_TRUE(with_channels_last(request_).images_nchw.is_contiguous(at::MemoryFormat::ChannelsLast));
  request_.images_nchw.reset();
  request_.from = FromTap{"stage1", images_, 0, 0};
  EXPECT_TRUE(with_channels_last(request_).from->value.is_same(images_));
}

}  // namespace
}  // namespace seedbed
