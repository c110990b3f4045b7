#include "seedbed/kernels/dense_crf.hpp"

#include <cmath>
#include <thread>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "seedbed/error.hpp"
#include "support/allocation_meter.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::kernels {
namespace {

using testing::all_close;
using testing::AllocationMeter;
using testing::equals_tensor;
using testing::formula_input;

constexpr std::int64_t kHeight = 10, kWidth = 12;

/// Two halves of unlike brightness, 12 x 10, and three noisy label probabilities: small enough to check by hand.
at::Tensor toy_image() {
  at::Tensor image = at::empty({kHeight, kWidth, 3}, at::kByte);
  auto* bytes = image.mutable_data_ptr<std::uint8_t>();
  for (std::int64_t n = 0; n < image.numel(); ++n) {
    const std::int64_t x = n / 3 % kWidth;
    bytes[n] = static_cast<std::uint8_t>((x < 6 ? 40 : 190) + (53 * n + 7) % 256 % 30);
  }
  return image;
}

at::Tensor toy_unary() {
  at::Tensor p = at::empty({3, kHeight, kWidth});
  float* values = p.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < p.numel(); ++i) values[i] = static_cast<float>((37 * i + 11) % 101) / 101.0f + 0.05f;
  return probability_unary(p / p.sum(0, true));
}

DenseCrfOptions kernels_of(double gauss_sigma, double gauss_weight, double xy, double rgb, double weight) {
  return {.gauss_sigma = gauss_sigma,
          .gauss_weight = gauss_weight,
          .bilateral_xy = xy,
          .bilateral_rgb = rgb,
          .bilateral_weight = weight};
}

struct ToyCase {
  DenseCrfOptions options;
  std::vector<double> first, middle;              // marginals of pixels 0 and 65 after one step
  std::vector<double> exact_first, exact_middle;  // and with all pairs
};

// Marginals that pydensecrf's C++ core gives for the toy, and those of the exact sums.
std::vector<ToyCase> toy_cases() {
  return {{kernels_of(3, 3, 80, 13, 10),
           {.4825, .3474, .1701},
           {.3907, .3531, .2563},
           {.4965, .3402, .1633},
           {.3985, .3488, .2528}},
          {kernels_of(1, 1, 121, 5, 4),
           {.5253, .3109, .1638},
           {.4002, .3282, .2715},
           {.5147, .3156, .1697},
           {.3961, .3303, .2736}},
          {kernels_of(1, 3, 67, 3, 4),
           {.5794, .2908, .1298},
           {.4106, .3248, .2646},
           {.5657, .2963, .1380},
           {.4119, .3247, .2633}},
          {kernels_of(3, 3, 64, 5, 4),
           {.5173, .3152, .1675},
           {.4035, .3243, .2722},
           {.5085, .3180, .1736},
           {.4004, .3265, .2732}},
          {kernels_of(3, 3, 50, 5, 10),
           {.6081, .2797, .1122},
           {.4686, .3131, .2184},
           {.5855, .2909, .1236},
           {.4599, .3186, .2214}}};
}

TEST(DenseCrf, GivesThePublishedMarginalsOfTheToy) {
  for (ToyCase& toy : toy_cases()) {
    const at::Tensor found = DenseCrf(toy_image(), toy.options).infer(toy_unary(), 1).flatten(1);
    EXPECT_THAT(found.select(1, 0), all_close(at::tensor(toy.first, at::kFloat), 1e-4));
    EXPECT_THAT(found.select(1, 65), all_close(at::tensor(toy.middle, at::kFloat), 1e-4));
    toy.options.filter = CrfFilter::exact;
    const at::Tensor exact = DenseCrf(toy_image(), toy.options).infer(toy_unary(), 1).flatten(1);
    EXPECT_THAT(exact.select(1, 0), all_close(at::tensor(toy.exact_first, at::kFloat), 1e-4));
    EXPECT_THAT(exact.select(1, 65), all_close(at::tensor(toy.exact_middle, at::kFloat), 1e-4));
  }
}

/// The definition, in double precision.
at::Tensor defined(const at::Tensor& image, const at::Tensor& unary_khw, const DenseCrfOptions& options,
                   int iterations) {
  const auto kernel = [](const at::Tensor& f) {
    const at::Tensor k = (f.unsqueeze(0) - f.unsqueeze(1)).square().sum(2).mul(-0.5).exp();
    const at::Tensor root = k.sum(1).rsqrt();
    return root.unsqueeze(1) * k * root;
  };
  const at::Tensor y = at::arange(image.size(0), at::kDouble).unsqueeze(1).expand({image.size(0), image.size(1)});
  const at::Tensor x = at::arange(image.size(1), at::kDouble).expand({image.size(0), image.size(1)});
  const at::Tensor places = at::stack({x, y}, -1).reshape({-1, 2});
  const at::Tensor colours = image.to(at::kDouble).view({-1, 3});
  const at::Tensor both = at::cat({places / options.bilateral_xy, colours / options.bilateral_rgb}, 1);
  const at::Tensor pairs =
      options.gauss_weight * kernel(places / options.gauss_sigma) + options.bilateral_weight * kernel(both);
  const at::Tensor negative = -unary_khw.flatten(1).to(at::kDouble);
  at::Tensor q = negative.softmax(0);
  for (int i = 0; i < iterations; ++i) q = (negative + at::matmul(q, pairs)).softmax(0);
  return q.view(unary_khw.sizes()).to(at::kFloat);
}

TEST(DenseCrf, ExactIsTheDefinition) {
  DenseCrfOptions options = kernels_of(2, 2, 6, 20, 3);
  options.filter = CrfFilter::exact;
  const DenseCrf crf(toy_image(), options);
  for (const int iterations : {0, 1, 7}) {
    EXPECT_THAT(crf.infer(toy_unary(), iterations),
                all_close(defined(toy_image(), toy_unary(), options, iterations), 1e-4));
  }
}

TEST(DenseCrf, WithoutPairwiseTermsIsTheSoftmaxOfTheEnergies) {
  for (const CrfFilter filter : {CrfFilter::lattice, CrfFilter::exact}) {
    DenseCrfOptions options = kernels_of(3, 0, 80, 13, 0);
    options.filter = filter;
    const at::Tensor unary = 6 * toy_unary();
    EXPECT_THAT(DenseCrf(toy_image(), options).infer(unary, 5), all_close(unary.neg().softmax(0), 1e-6, 1e-5));
  }
  EXPECT_THAT(DenseCrf(toy_image(), {}).infer(toy_unary(), 0), all_close(toy_unary().neg().softmax(0), 1e-6, 1e-5));
}

// Labels are moved in blocks of lanes; every way of filling them must give the same.
TEST(DenseCrf, AddsUpToOneHoweverManyLabelsThereAre) {
  const DenseCrf crf(toy_image(), kernels_of(3, 3, 50, 5, 10));
  const at::Tensor three = crf.infer(toy_unary(), 3);
  for (const std::int64_t count : {1, 2, 4, 5, 8, 9, 15, 16, 17, 20, 21, 24, 25, 32, 33, 81}) {
    const at::Tensor unary = formula_input("dense_crf.unary", {count, kHeight, kWidth}, 0, 4);
    const at::Tensor q = crf.infer(unary, 3);
    EXPECT_THAT(q.sum(0), all_close(at::ones({kHeight, kWidth}), 1e-5)) << count;
    EXPECT_GE(q.min().item<double>(), 0.0) << count;
    if (count < 4) continue;
    // Labels that nothing speaks for leave the others as they are, wherever those stand.
    at::Tensor padded = at::full({count, kHeight, kWidth}, 1e4);
    const at::Tensor places = at::tensor({std::int64_t{0}, count / 2, count - 1});
    padded.index_copy_(0, places, toy_unary());
    EXPECT_THAT(crf.infer(padded, 3).index_select(0, places), all_close(three, 1e-5)) << count;
  }
}

TEST(DenseCrf, StaysFiniteWhateverTheEnergies) {
  const DenseCrf crf(toy_image(), {});
  at::Tensor unary = at::zeros({5, kHeight, kWidth});
  unary[0].fill_(1e6);
  unary[1].fill_(-1e6);
  unary[2].fill_(87);
  const at::Tensor q = crf.infer(unary, 10);
  EXPECT_THAT(q[1], all_close(at::ones({kHeight, kWidth}), 1e-6));
  EXPECT_THAT(q[0], equals_tensor(at::zeros({kHeight, kWidth})));
  const at::Tensor grey = at::full({kHeight, kWidth, 3}, 128, at::kByte);
  EXPECT_TRUE(at::isfinite(DenseCrf(grey, {}).infer(toy_unary(), 10)).all().item<bool>());
  EXPECT_THAT(DenseCrf(grey.slice(0, 0, 1).slice(1, 0, 1), {}).infer(at::zeros({2, 1, 1}), 10),
              all_close(at::full({2, 1, 1}, 0.5), 1e-6));
}

TEST(DenseCrf, ServesSeveralUnariesAndThreads) {
  const DenseCrf crf(toy_image(), {});
  const at::Tensor here = crf.infer(toy_unary(), 4);
  crf.infer(at::zeros({21, kHeight, kWidth}), 2);
  at::Tensor there;
  std::thread([&] { there = crf.infer(toy_unary(), 4); }).join();
  EXPECT_THAT(there, equals_tensor(here));
  EXPECT_THAT(crf.infer(toy_unary().transpose(1, 2).contiguous().transpose(1, 2), 4), equals_tensor(here));
}

// Marginals and energies, one block of lanes at the lattices' points and at the rows: 8 bytes a pixel and label, and the
// contiguous result.
TEST(DenseCrf, TakesNoMoreMemoryThanItSays) {
  const at::Tensor image = formula_input("dense_crf.image", {60, 80, 3}, 0, 255).to(at::kByte);
  const at::Tensor unary = formula_input("dense_crf.unary", {21, 60, 80}, 0, 4);
  const DenseCrf crf(image, kernels_of(3, 3, 80, 13, 10));
  const AllocationMeter meter;
  crf.infer(unary, 2);
  constexpr std::int64_t kPixels = 60 * 80, kLanes = 24;
  EXPECT_LE(meter.peak_bytes(), kPixels * (8 * kLanes + 4 * 21 + 64 * (6 + 3)));
}

TEST(DenseCrf, RefusesWhatDoesNotFit) {
  const auto made = [](const at::Tensor& image, const DenseCrfOptions& options = {}) { DenseCrf crf(image, options); };
  EXPECT_THROW(made({}), ContractError);
  EXPECT_THROW(made(at::zeros({4, 4}, at::kByte)), ContractError);
  EXPECT_THROW(made(at::zeros({4, 4, 1}, at::kByte)), ContractError);
  EXPECT_THROW(made(at::zeros({4, 4, 3}, at::kInt)), ContractError);
  EXPECT_THROW(made(toy_image(), kernels_of(0, 3, 80, 13, 10)), ContractError);
  EXPECT_THROW(made(toy_image(), kernels_of(3, 3, 80, 0, 10)), ContractError);
  EXPECT_THROW(made(toy_image(), kernels_of(3, -1, 80, 13, 10)), ContractError);
  EXPECT_THROW(made(toy_image(), kernels_of(3, 3, 80, 1e-7, 10)), UserError);
  const DenseCrf crf(toy_image(), {});
  EXPECT_THROW(crf.infer(toy_unary().slice(1, 0, 4), 1), ContractError);
  EXPECT_THROW(crf.infer(toy_unary().slice(0, 0, 0), 1), ContractError);
  EXPECT_THROW(crf.infer(toy_unary().to(at::kDouble), 1), ContractError);
  EXPECT_THROW(crf.infer(toy_unary(), -1), ContractError);
}

TEST(DenseCrfUnaries, AreThoseOfTheRecipes) {
  EXPECT_THAT(probability_unary(at::tensor({0.0, 1e-7, 0.5, 1.0, 3.0}, at::kFloat)),
              all_close(at::tensor({11.512925, 11.512925, 0.6931472, 0.0, 0.0}, at::kFloat), 1e-5));

  const at::Tensor labels = at::tensor({0, 1, 2, 255}, at::kByte).view({2, 2});
  const at::Tensor unary = label_unary(labels, 3, 0.7).flatten(1);
  const float own = -std::log(0.7f), other = -std::log(0.15f);
  EXPECT_THAT(unary[0], all_close(at::tensor({own, other, other, 0.0f}), 1e-6));
  EXPECT_THAT(unary[2], all_close(at::tensor({other, other, own, 0.0f}), 1e-6));
  EXPECT_THAT(label_unary(labels.to(at::kLong) - 1, 1, 0.7), equals_tensor(at::zeros({1, 2, 2})));
  EXPECT_THROW(label_unary(labels.flatten(), 3, 0.7), ContractError);
  EXPECT_THROW(label_unary(labels.to(at::kFloat), 3, 0.7), ContractError);
  EXPECT_THROW(label_unary(labels, 0, 0.7), ContractError);
  EXPECT_THROW(label_unary(labels, 3, 1.0), ContractError);
  EXPECT_THROW(label_unary(labels, 3, 0.0), ContractError);
}

TEST(DenseCrfColours, WrapBelowTheMean) {
  const at::Tensor image = at::tensor({0, 0, 0, 255, 255, 255, 123, 116, 104}, at::kByte).view({1, 3, 3});
  const at::Tensor wanted = at::tensor({152, 140, 134, 150, 138, 132, 0, 0, 0}, at::kByte).view({1, 3, 3});
  EXPECT_THAT(bgr_mean_wrapped(image), equals_tensor(wanted));
  EXPECT_THROW(bgr_mean_wrapped(image.to(at::kFloat)), ContractError);
  EXPECT_THROW(bgr_mean_wrapped(image.slice(2, 0, 2)), ContractError);
}

}  // namespace
}  // namespace seedbed::kernels
