#include "seedbed/kernels/fusion.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "seedbed/error.hpp"
#include "seedbed/kernels/resize.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::kernels {
namespace {

using testing::all_close;
using ::testing::AllOf;
using testing::equals_tensor;
using testing::formula_input;
using testing::has_shape;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr std::int64_t kHeight = 20, kWidth = 30;

ViewMaps view(at::Tensor maps, double scale = 1.0, bool flipped = false, Area covered = {}) {
  return {std::move(maps), View{"image", kHeight, kWidth, scale, flipped, covered}};
}

at::Tensor fused(std::vector<ViewMaps> views, const std::vector<std::string>& steps, const at::Tensor& present = {}) {
  return fuse_views(std::move(views), fusion_plan_from(steps), present);
}

at::Tensor maps(std::string_view name, std::int64_t height = 5, std::int64_t width = 7) {
  return formula_input(name, {3, height, width});
}

TEST(FuseViews, WorksElementByElement) {
  const at::Tensor a = maps("a");
  EXPECT_THAT(fused({view(a)}, {"relu"}), equals_tensor(a.relu()));
  EXPECT_THAT(fused({view(a)}, {"sigmoid"}), equals_tensor(a.sigmoid()));
  EXPECT_THAT(fused({view(a)}, {"sqrt"}), equals_tensor(a.relu().sqrt()));  // negative evidence has no root
  EXPECT_THAT(fused({view(a * 3)}, {"clamp01"}), equals_tensor((a * 3).clamp(0, 1)));
  EXPECT_THAT(fused({view(a)}, {}), equals_tensor(a));
}

TEST(FuseViews, MergesAViewWithItsMirrorImage) {
  const at::Tensor a = maps("a"), b = maps("b");
  const std::vector<ViewMaps> pair{view(a), view(b, 1.0, true)};
  EXPECT_THAT(fused(pair, {"unflip", "merge_flip:sum"}), equals_tensor(a + b.flip(2)));
  EXPECT_THAT(fused(pair, {"unflip", "merge_flip:max"}), equals_tensor(at::maximum(a, b.flip(2))));
  EXPECT_THAT(fused(pair, {"unflip", "merge_flip:mean"}), equals_tensor((a + b.flip(2)) / 2));
  EXPECT_THAT(fused({view(a)}, {"unflip", "merge_flip:sum"}), equals_tensor(a));  // no mirror image was made
}

TEST(FuseViews, MergesScalesInTheirOrder) {
  const at::Tensor a = maps("a"), b = maps("b"), c = maps("c");
  const std::vector<ViewMaps> scales{view(a, 1.0), view(b, 0.5), view(c, 2.0)};
  EXPECT_THAT(fused(scales, {"merge_scales:sum"}), equals_tensor(a + b + c));
  EXPECT_THAT(fused(scales, {"merge_scales:mean"}), equals_tensor((a + b + c) / 3));
  EXPECT_THAT(fused(scales, {"merge_scales:max"}), equals_tensor(at::maximum(at::maximum(a, b), c)));
}

TEST(FuseViews, OrderIsPartOfTheResult) {
  const std::vector<ViewMaps> pair{view(maps("a")), view(maps("b"), 1.0, true)};
  EXPECT_FALSE(
      at::equal(fused(pair, {"relu", "unflip", "merge_flip:sum"}), fused(pair, {"unflip", "merge_flip:sum", "relu"})));
}

TEST(FuseViews, ResizesToTheNamedTarget) {
  const at::Tensor a = maps("a");
  EXPECT_THAT(fused({view(a)}, {"resize:image"}), equals_tensor(resize_maps(a, kHeight, kWidth, false)));
  EXPECT_THAT(fused({view(a)}, {"resize_corners:image"}), equals_tensor(resize_maps(a, kHeight, kWidth, true)));
  EXPECT_THAT(fused({view(a)}, {"resize:grid4"}), equals_tensor(resize_maps(a, 5, 8, false)));
  EXPECT_THAT(fused({view(a)}, {"resize:ceil16_crop"}),
              equals_tensor(resize_maps(a, 32, 32, false).slice(1, 0, kHeight).slice(2, 0, kWidth).contiguous()));
  EXPECT_THAT(fused({view(a), view(maps("b", 9, 4), 2.0)}, {"resize:largest", "merge_scales:sum"}),
              has_shape({3, 9, 7}));
}

TEST(FuseViews, CutsOffWhatAPaddedInputAdds) {
  // A ramp over an input of 24 x 36 of which the image is 20 x 30: every resized value stays where it was.
  const at::Tensor ramp = at::arange(36, at::kFloat).add(0.5).view({1, 1, 36}).expand({1, 24, 36}).contiguous();
  const Area right{0, 0, 24, 36};
  EXPECT_THAT(fused({view(ramp, 1.0, false, right)}, {"resize:image"}),
              all_close(ramp.slice(1, 0, 20).slice(2, 0, 30).contiguous(), 1e-4));
  // The mirrored image was padded on the same side, so the map reaches over the image's left edge.
  const Area left{0, -6, 24, 30};
  const at::Tensor mirrored =
      at::arange(36, at::kFloat).sub(5.5).flip(0).view({1, 1, 36}).expand({1, 24, 36}).contiguous();
  const at::Tensor wanted = at::arange(30, at::kFloat).add(0.5).view({1, 1, 30}).expand({1, 20, 30}).contiguous();
  EXPECT_THAT(fused({view(mirrored, 1.0, true, left)}, {"unflip", "resize:image"}), all_close(wanted, 1e-4));
  EXPECT_THAT(fused({view(mirrored, 1.0, true, left)}, {"resize:image", "unflip"}), all_close(wanted, 1e-4));
  EXPECT_THAT(fused({view(ramp, 1.0, false, right)}, {"resize:grid4"}), has_shape({1, 5, 8}));
}

TEST(FuseViews, MasksAbsentClassesWhateverFollows) {
  const at::Tensor present = at::tensor({1, 0, 1}).to(at::kBool);
  const at::Tensor a = maps("a");
  const at::Tensor result = fused({view(a)}, {"mask_present", "sigmoid"}, present);
  EXPECT_THAT(result[0], equals_tensor(a[0].sigmoid()));
  EXPECT_THAT(result[1], equals_tensor(at::zeros({5, 7})));
  EXPECT_THAT(fused({view(a)}, {"resize:image", "mask_present"}, at::zeros({3}, at::kBool)),
              equals_tensor(at::zeros({3, kHeight, kWidth})));
  EXPECT_THAT(fused({view(a)}, {"mask_present"}, at::ones({3}, at::kBool)), equals_tensor(a));
}

TEST(FuseViews, RunsEveryNamedPlanIntoItsRange) {
  std::vector<ViewMaps> views;
  for (const double scale : {1.0, 0.5, 1.5}) {
    const auto height = round_half_even(5 * scale), width = round_half_even(7 * scale);
    views.push_back(view(maps("a", height, width), scale));
    views.push_back(view(maps("b", height, width), scale, true));
  }
  for (const std::string& name : fusion_plan_names()) {
    const at::Tensor result = fuse_views(views, named_fusion_plan(name), at::tensor({1, 1, 0}).to(at::kBool));
    EXPECT_THAT(result, has_shape({3, kHeight, kWidth})) << name;
    EXPECT_GE(result.min().item<double>(), 0.0) << name;
    EXPECT_LE(result.max().item<double>(), 1.0 + 1e-6) << name;
    EXPECT_GT(result.max().item<double>(), 0.5) << name;
    EXPECT_EQ(result[2].abs().max().item<double>(), 0.0) << name;
  }
}

TEST(FuseViews, LeavesItsViewsAlone) {
  const at::Tensor a = maps("a"), copy = a.clone();
  fused({view(a)}, {"relu", "normalise:max"});
  EXPECT_THAT(a, equals_tensor(copy));
}

TEST(FuseViews, SaysWhatAListLacks) {
  const auto refused = [](const std::vector<ViewMaps>& views, const std::vector<std::string>& steps, const char* words,
                          const at::Tensor& present = {}) {
    EXPECT_THAT([&] { fused(views, steps, present); }, ThrowsMessage<UserError>(HasSubstr(words)));
  };
  const ViewMaps one = view(maps("a")), mirrored = view(maps("b"), 1.0, true), small = view(maps("c", 3, 3), 0.5);
  refused({one, small}, {"merge_scales:sum"}, "maps of different sizes: `5 x 7` and `3 x 3`");
  refused({one, small}, {"resize:image"}, "leaves `2` maps");
  refused({one, mirrored}, {"merge_flip:sum"}, "`unflip` step before the merge");
  refused({mirrored}, {"relu"}, "leaves a mirrored map");
  refused({one}, {"mask_present"}, "needs image labels");
  refused({one}, {"mask_present"}, "`3` maps, `2` classes", at::ones({2}, at::kBool));
  refused({view(maps("a"), 1.0, false, {0, 0, 24, 36})}, {"resize_corners:image"}, "whole image");
  EXPECT_THAT(
      [&] {
        fuse_views({one}, FusionPlan{{{"sharpen", ""}}}, {});
      },
      ThrowsMessage<UserError>(HasSubstr("`sharpen`")));
}

TEST(FuseViews, RefusesViewsThatDoNotBelongTogether) {
  const auto refused = [](std::vector<ViewMaps> views, const char* words) {
    EXPECT_THAT([&] { fuse_views(std::move(views), {}, {}); }, ThrowsMessage<ContractError>(HasSubstr(words)));
  };
  refused({}, "at least one");
  refused({view(maps("a")), view(at::zeros({2, 5, 7}))}, "one C");
  refused({view(at::zeros({5, 7}))}, "3 dimensions");
  ViewMaps other = view(maps("a"));
  other.view.image_id = "other";
  refused({view(maps("a")), other}, "`image` and `other`");
  refused({view(maps("a"), 1.0, false, {0, 10, 20, 30})}, "windows joined before fusion");
}

TEST(JoinFused, AddsAndNormalisesAgain) {
  const FusionPlan plan = fusion_plan_from({"relu", "normalise:minmax", "normalise:max"});
  const at::Tensor a = maps("a").relu(), b = maps("b").relu();
  EXPECT_THAT(join_fused({a}, plan), equals_tensor(a));
  EXPECT_THAT(join_fused({a, b}, plan), equals_tensor(normalise_maps(a + b, "max")));
  EXPECT_THAT(
      [&] {
        join_fused({a, b}, fusion_plan_from({"relu"}));
      },
      ThrowsMessage<UserError>(HasSubstr("does not normalise")));
  EXPECT_THAT([&] { join_fused({a, maps("c", 3, 3)}, plan); }, ThrowsMessage<UserError>(HasSubstr("`3 x 3`")));
}

TEST(NormaliseMaps, FollowsEachRule) {
  const at::Tensor a = at::tensor({-1.0f, 0.0f, 1.0f, 3.0f}).view({1, 2, 2});
  const auto expect = [&](const char* rule, std::vector<double> wanted) {
    EXPECT_THAT(normalise_maps(a, rule), all_close(at::tensor(wanted).view({1, 2, 2}).to(at::kFloat), 1e-5)) << rule;
  };
  expect("max", {-1 / 3.0, 0, 1 / 3.0, 1});
  expect("minmax", {0, 0, 1 / 3.0, 1});
  expect("minmax_released", {0, 0, 1 / 3.0, 1});
  expect("max_sqrt", {0, 0, std::sqrt(1 / 3.0), 1});
  expect("shift_max", {0, 0.25, 0.5, 1});
  EXPECT_THAT([&] { normalise_maps(a, "mean"); },
              ThrowsMessage<UserError>(AllOf(HasSubstr("`mean`"), HasSubstr("`shift_max`"))));
}

TEST(NormaliseMaps, IsFiniteWhereNothingSpeaks) {
  for (const char* rule : {"max", "minmax", "minmax_released", "max_sqrt", "shift_max"}) {
    for (const double value : {0.0, -1.0, 0.25}) {
      EXPECT_TRUE(at::isfinite(normalise_maps(at::full({2, 3, 3}, value), rule)).all().item<bool>()) << rule;
    }
  }
  // The released form is not clamped: cnn.md section 2.4.
  EXPECT_NEAR(normalise_maps(at::full({1, 2, 2}, 0.25), "minmax_released").min().item<double>(), -25000, 300);
  EXPECT_EQ(normalise_maps(at::full({1, 2, 2}, 0.25), "minmax").abs().max().item<double>(), 0);
}

}  // namespace
}  // namespace seedbed::kernels
