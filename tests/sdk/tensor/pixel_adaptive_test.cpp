#include "seedbed/kernels/pixel_adaptive.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
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

/// The published form, in double precision: every neighbour of every pixel, gathered. [N,C,H,W] -> [N,C,neighbours,H,W].
at::Tensor gathered(const at::Tensor& values, const std::vector<std::int64_t>& dilations) {
  const std::int64_t height = values.size(2), width = values.size(3);
  std::vector<at::Tensor> neighbours;
  for (const std::int64_t d : dilations) {
    for (const std::int64_t y : {-d, std::int64_t{0}, d}) {
      for (const std::int64_t x : {-d, std::int64_t{0}, d}) {
        if (x == 0 && y == 0) continue;
        const at::Tensor rows = (at::arange(height) + y).clamp(0, height - 1);
        const at::Tensor columns = (at::arange(width) + x).clamp(0, width - 1);
        neighbours.push_back(values.index_select(2, rows).index_select(3, columns));
      }
    }
  }
  return at::stack(neighbours, 2);
}

at::Tensor reference(const at::Tensor& images, const at::Tensor& planes, const PixelAdaptiveOptions& options) {
  const at::Tensor image = images.to(at::kDouble), centre = image.unsqueeze(2);
  const at::Tensor around = gathered(image, options.dilations);
  const at::Tensor difference = (around - centre).abs();
  at::Tensor weights;
  if (options.par) {
    const at::Tensor deviation = around.std(2, /*unbiased=*/true, /*keepdim=*/true) + 1e-8;
    weights = (difference / deviation / options.colour_weight).square().neg().mean(1).softmax(1);
    std::vector<double> distances;
    for (const std::int64_t d : options.dilations) {
      for (const bool diagonal : {true, false, true, false, false, true, false, true}) {
        distances.push_back(static_cast<double>(d) * (diagonal ? std::sqrt(2.0) : 1.0));
      }
    }
    const at::Tensor distance = at::tensor(distances, at::kDouble);
    const at::Tensor term = (distance / (distance.std() + 1e-8) / options.colour_weight).square().neg().softmax(0);
    weights = weights + options.distance_weight * term.view({1, -1, 1, 1});
    if (options.renormalise) weights = weights / weights.sum(1, true);
  } else {
    std::vector<at::Tensor> with_centre{around};
    for (std::size_t i = 0; i < options.dilations.size(); ++i) with_centre.push_back(centre);
    const at::Tensor deviation = at::cat(with_centre, 2).std(2, true, true);
    weights = (difference / (1e-8 + options.colour_weight * deviation)).neg().mean(1).softmax(1);
  }
  at::Tensor refined = planes.to(at::kDouble);
  for (std::int64_t i = 0; i < options.iterations; ++i) {
    refined = (gathered(refined, options.dilations) * weights.unsqueeze(1)).sum(2);
  }
  return refined.to(at::kFloat);
}

TEST(PixelAdaptive, EqualsThePublishedForm) {
  struct Case {
    std::int64_t n, d, p, height, width;
    std::vector<std::int64_t> dilations;
  };
  for (const auto& [n, d, p, height, width, dilations] : std::vector<Case>{{1, 3, 3, 19, 33, {1, 2, 4, 8, 12, 24}},
                                                                           {2, 3, 1, 7, 16, {1, 2}},
                                                                           {1, 1, 5, 1, 40, {1, 3}},
                                                                           {1, 3, 9, 50, 1, {2}},
                                                                           {1, 3, 2, 1, 1, {1, 24}}}) {
    SCOPED_TRACE(std::to_string(height) + " x " + std::to_string(width));
    const at::Tensor images = formula_input("images", {n, d, height, width}, 0, 255);
    const at::Tensor planes = formula_input("planes", {n, p, height, width}, 0, 1);
    for (PixelAdaptiveOptions options : {pamr_options(), par_options()}) {
      options.dilations = dilations;
      EXPECT_THAT(pixel_adaptive_refine(images, planes, options),
                  all_close(reference(images, planes, options), 1e-5, 1e-4))
          << (options.par ? "PAR" : "PAMR");
    }
  }
}

// transformers-and-refiners, golden vectors: v(i) = ((37 i + 11) mod 101) / 101.
TEST(PixelAdaptive, EqualsTheSpecifiedVectors) {
  const auto v = [](std::int64_t first, at::IntArrayRef shape) {
    const at::Tensor i = at::arange(first, first + c10::multiply_integers(shape));
    return ((i * 37 + 11).remainder(101).to(at::kDouble) / 101.0).to(at::kFloat).view(shape);
  };
  const at::Tensor image = v(0, {1, 3, 5, 6}), planes = v(1000, {1, 2, 5, 6});
  PixelAdaptiveOptions par = par_options(), pamr = pamr_options();
  par.dilations = pamr.dilations = {1, 2};
  const at::Tensor refined = pixel_adaptive_refine(image, planes, par)[0];
  EXPECT_NEAR(refined.sum().item<double>(), 34.162495, 2e-4);
  EXPECT_NEAR(refined[0][0][0].item<double>(), 0.521504, 1e-5);
  EXPECT_NEAR(refined[1][2][3].item<double>(), 0.476600, 1e-5);
  EXPECT_NEAR(pixel_adaptive_refine(image, planes, pamr)[0][0][4][5].item<double>(), 0.073216, 1e-5);
  EXPECT_NEAR(pixel_adaptive_refine(image, planes, par_options())[0][0][4][5].item<double>(), 0.141245, 1e-5);
}

TEST(PixelAdaptive, ScalesAConstantPlaneByItsKnownGain) {
  const at::Tensor images = formula_input("images", {1, 3, 12, 9});
  const at::Tensor planes = at::full({1, 1, 12, 9}, 0.5);
  EXPECT_THAT(pixel_adaptive_refine(images, planes, pamr_options()), all_close(planes, 1e-5));
  PixelAdaptiveOptions par = par_options();
  EXPECT_THAT(pixel_adaptive_refine(images, planes, par), all_close(planes * std::pow(1.01, 10), 1e-5));
  par.renormalise = true;
  EXPECT_THAT(pixel_adaptive_refine(images, planes, par), all_close(planes, 1e-5));
}

TEST(PixelAdaptive, IsFiniteOnConstantImages) {
  const at::Tensor planes = formula_input("planes", {1, 2, 9, 9}, 0, 1);
  for (const PixelAdaptiveOptions& options : {pamr_options(), par_options()}) {
    EXPECT_TRUE(at::isfinite(pixel_adaptive_refine(at::full({1, 3, 9, 9}, 80.0), planes, options)).all().item<bool>());
    at::Tensor spot = at::zeros({1, 3, 9, 9});
    spot.select(2, 4).select(2, 4).fill_(255);
    EXPECT_TRUE(at::isfinite(pixel_adaptive_refine(spot, planes, options)).all().item<bool>());
  }
}

TEST(PixelAdaptive, GivesTheSameBitsForAnyNumberOfThreads) {
  const at::Tensor images = formula_input("images", {1, 3, 40, 30}), planes = formula_input("planes", {1, 3, 40, 30});
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = pixel_adaptive_refine(images, planes, par_options());
  at::set_num_threads(3);
  const at::Tensor three = pixel_adaptive_refine(images, planes, par_options());
  at::set_num_threads(before);
  EXPECT_THAT(three, equals_tensor(one));
}

TEST(PixelAdaptive, LeavesItsInputsAndTheGraphAlone) {
  const at::Tensor images = formula_input("images", {1, 3, 6, 6});
  const at::Tensor planes = formula_input("planes", {1, 6, 6, 2}).permute({0, 3, 1, 2}).requires_grad_();
  const at::Tensor copy = planes.detach().clone();
  const at::Tensor refined = pixel_adaptive_refine(images, planes, par_options());
  EXPECT_FALSE(refined.requires_grad());
  EXPECT_THAT(planes.detach(), equals_tensor(copy));
  PixelAdaptiveOptions none = par_options();
  none.iterations = 0;
  EXPECT_THAT(pixel_adaptive_refine(images, planes, none), equals_tensor(copy));
}

TEST(PixelAdaptive, RefusesWhatDoesNotAgree) {
  const at::Tensor images = at::zeros({1, 3, 4, 4});
  const auto refused = [&](const at::Tensor& planes, const PixelAdaptiveOptions& options, const char* words) {
    EXPECT_THAT([&] { pixel_adaptive_refine(images, planes, options); },
                ThrowsMessage<ContractError>(HasSubstr(words)));
  };
  refused(at::zeros({1, 2, 4, 5}), {}, "agree in N, H and W");
  refused(at::zeros({2, 2, 4, 4}), {}, "agree in N, H and W");
  refused({}, {}, "agree in N, H and W");
  refused(at::zeros({1, 2, 4, 4}, at::kDouble), {}, "float32");
  PixelAdaptiveOptions options;
  options.dilations = {1, 0};
  refused(at::zeros({1, 2, 4, 4}), options, "dilations are positive");
}

}  // namespace
}  // namespace seedbed::kernels
