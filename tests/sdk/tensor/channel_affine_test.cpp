#include "seedbed/kernels/channel_affine.hpp"

#include <limits>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "seedbed/error.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::kernels {
namespace {

using testing::all_close;
using testing::equals_tensor;
using testing::formula_input;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

at::Tensor expected(const at::Tensor& input, const at::Tensor& scale, const at::Tensor& shift, const at::Tensor& addend,
                    Activation activation) {
  at::Tensor value = input * scale.view({1, -1, 1, 1}) + shift.view({1, -1, 1, 1});
  if (addend.defined()) value = value + addend;
  if (activation == Activation::relu) return value.relu();
  return activation == Activation::relu6 ? value.clamp(0, 6) : value;
}

TEST(ChannelAffine, IsWhatItSaysInBothLayouts) {
  for (const std::int64_t channels : {1, 5, 16, 37}) {
    for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      const at::Tensor input = (formula_input("input", {2, channels, 3, 7}) * 9).contiguous(format);
      const at::Tensor addend = formula_input("addend", {2, channels, 3, 7});
      const at::Tensor scale = formula_input("scale", {channels}), shift = formula_input("shift", {channels});
      for (const Activation activation : {Activation::none, Activation::relu, Activation::relu6}) {
        for (const at::Tensor& added : {at::Tensor(), addend}) {
          const at::Tensor before = input.clone(), output = at::empty_like(input);
          channel_affine(input, scale, shift, added, activation, output);
          EXPECT_THAT(output, all_close(expected(input, scale, shift, added, activation), 1e-5));
          EXPECT_THAT(input, equals_tensor(before));
          const at::Tensor in_place = input.clone();
          channel_affine(in_place, scale, shift, added, activation, in_place);
          EXPECT_THAT(in_place, equals_tensor(output));
        }
      }
    }
  }
}

TEST(ChannelAffine, LetsNaNPass) {
  const at::Tensor map = at::full({1, 1, 1, 17}, std::numeric_limits<float>::quiet_NaN());
  channel_affine(map, at::ones({1}), at::zeros({1}), {}, Activation::relu6, map);
  EXPECT_TRUE(map.isnan().all().item<bool>());
}

TEST(ChannelAffine, TakesAnEmptyMap) {
  const at::Tensor map = at::empty({0, 3, 2, 2});
  EXPECT_NO_THROW(channel_affine(map, at::ones({3}), at::zeros({3}), {}, Activation::relu, map));
}

TEST(ChannelAffine, RefusesOtherTensors) {
  const at::Tensor map = at::zeros({1, 4, 2, 3}), scale = at::ones({4});
  const auto refusal = [&](const at::Tensor& input, const at::Tensor& scale_c, const at::Tensor& addend,
                           const at::Tensor& output) {
    return [=] { channel_affine(input, scale_c, at::zeros({4}), addend, Activation::none, output); };
  };
  EXPECT_THAT(refusal(map.to(at::kDouble), scale, {}, map), ThrowsMessage<ContractError>(HasSubstr("float32")));
  EXPECT_THAT(refusal(at::zeros({1, 4, 2, 6}).slice(3, 0, 6, 2), scale, {}, map),
              ThrowsMessage<ContractError>(HasSubstr("without gaps")));
  EXPECT_THAT(refusal(map, at::ones({3}), {}, map), ThrowsMessage<ContractError>(HasSubstr("[C]")));
  EXPECT_THAT(refusal(map, scale, at::zeros({1, 4, 2, 2}), map), ThrowsMessage<ContractError>(HasSubstr("addend")));
  EXPECT_THAT(refusal(map, scale, {}, map.contiguous(at::MemoryFormat::ChannelsLast)),
              ThrowsMessage<ContractError>(HasSubstr("laid out")));
}

}  // namespace
}  // namespace seedbed::kernels
