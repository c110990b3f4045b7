#include "seedbed/torch_module.hpp"

#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/dropout.h>

#include "doubles.hpp"
#include "seedbed/segmentation_head.hpp"
#include "seedbed/trainable.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed {
namespace {

using testing::equals_tensor;
using testing::formula_input;

/// A head as a torch::nn user writes it.
class TorchHead : public SegmentationHead {
 public:
  TorchHead() { register_module("net", std::make_shared<TorchModule>(net_.ptr())); }
  std::vector<std::string> wanted_taps() const override { return {"final"}; }
  HeadResult forward(const HeadRequest& request) override { return {net_->forward(request.taps.at("final")), {}}; }

 private:
  torch::nn::Sequential net_{torch::nn::Conv2d(torch::nn::Conv2dOptions(4, 6, 3).padding(1)), torch::nn::BatchNorm2d(6),
                             torch::nn::Dropout(0.5)};
};

HeadRequest request() {
  HeadRequest request;
  request.taps["final"] = formula_input("final", {2, 4, 5, 5});
  return request;
}

TEST(TorchModule, ShowsNamesAsTorchWritesThem) {
  const TorchHead head;
  const NamedTensors state = head.state();
  EXPECT_EQ(state.size(), 7u);
  for (const char* name :
       {"net.0.weight", "net.0.bias", "net.1.weight", "net.1.running_var", "net.1.num_batches_tracked"}) {
    EXPECT_TRUE(state.contains(name)) << name;
  }
  const auto groups = grouped_parameters(head, "new");
  ASSERT_EQ(groups.size(), 3u);
  EXPECT_EQ(groups[2].parameters.size(), 2u);
}

TEST(TorchModule, LoadsStateIntoTheNetwork) {
  TorchHead source, target;
  NamedTensors saved;
  for (const auto& [name, tensor] : source.state()) saved[name] = tensor.detach().clone();
  EXPECT_TRUE(target.load_state(saved).complete());
  EXPECT_THAT(target.forward(request()).logits_nkhw.detach(),
              equals_tensor(source.forward(request()).logits_nkhw.detach()));
}

TEST(TorchModule, FollowsTheTrainMode) {
  TorchHead head;
  EXPECT_FALSE(head.is_training());
  const at::Tensor first = head.forward(request()).logits_nkhw, second = head.forward(request()).logits_nkhw;
  EXPECT_THAT(first, equals_tensor(second));
  EXPECT_EQ(head.state().at("net.1.num_batches_tracked").item<int>(), 0);
  head.train(true);
  head.forward(request()).logits_nkhw.sum().backward();
  EXPECT_EQ(head.state().at("net.1.num_batches_tracked").item<int>(), 1);
  EXPECT_TRUE(head.state().at("net.0.weight").grad().defined());
}

TEST(Layers, StartFromTheNumbersOfTorch) {
  torch::manual_seed(11);
  const torch::nn::Conv2d theirs(torch::nn::Conv2dOptions(3, 8, 3));
  const Conv2d ours({3, 8, 3}, testing::generator(11));
  EXPECT_THAT(ours.weight.detach(), equals_tensor(theirs->weight.detach()));
  EXPECT_THAT(ours.bias.detach(), equals_tensor(theirs->bias.detach()));
}

}  // namespace
}  // namespace seedbed
