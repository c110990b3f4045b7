// What the specification of class activation maps asks of an implementation, beside the goldens. (That one pass of a sweep
// equals an evaluation a threshold is in host/metrics, and the learning rates of IRN's recipe are a golden of `schedule`.)
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "contract/given_features.hpp"
#include "contract/methods_under_test.hpp"
#include "seedbed/kernels/fusion.hpp"
#include "seedbed/seed_generator.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

class CamSpecification : public ::testing::Test {
 protected:
  SeedResult maps_of(SeedGenerator& cam, const at::Tensor& images) {
    const c10::NoGradGuard no_grad;
    SeedRequest request;
    request.images_nchw = images;
    request.views.resize(static_cast<std::size_t>(images.size(0)));
    request.logits_wanted = true;
    request.run = &run_;
    return cam.generate(request);
  }

  // The maps of an image and of its mirror image, joined as the named list does.
  at::Tensor fused(SeedGenerator& cam, const at::Tensor& image, const std::string& fusion) {
    const at::Tensor maps = maps_of(cam, at::cat({image, image.flip(3)})).maps.scores_nphw;
    std::vector<kernels::ViewMaps> views;
    for (const bool flipped : {false, true}) {
      View view;
      view.image_id = "image";
      view.image_height_px = image.size(2);
      view.image_width_px = image.size(3);
      view.flipped = flipped;
      views.push_back({maps[flipped ? 1 : 0], view});
    }
    return kernels::fuse_views(views, named_fusion_plan(fusion), at::ones({maps.size(1)}, at::kBool));
  }

  FakeRun run_;
};

TEST_F(CamSpecification, AnIdentityClassifierShowsTheFeatures) {
  constexpr std::int64_t kClasses = 4;
  ModelContext context = contract_context(run_, kClasses, false);
  context.backbone = std::make_shared<GivenFeatures>(kClasses);
  const auto cam = make<SeedGenerator>(MethodKind::seed_generator, "cam", context);
  cam->load_state({{"classifier.weight", at::eye(kClasses).view({kClasses, kClasses, 1, 1})}});
  // One channel is on in each cell.
  const at::Tensor features =
      at::one_hot(at::arange(30).remainder(kClasses).view({1, 5, 6}), kClasses).permute({0, 3, 1, 2}).to(at::kFloat);
  const SeedResult result = maps_of(*cam, features);
  EXPECT_THAT(result.maps.scores_nphw, equals_tensor(features.contiguous()));
  EXPECT_THAT(result.logits_nc, all_close(features.mean({2, 3}), 1e-6));
}

TEST_F(CamSpecification, TheMapOfAMirrorImageIsTheMirroredMap) {
  const auto cam = make<SeedGenerator>(MethodKind::seed_generator, "cam", contract_context(run_));
  const at::Tensor image = contract_images(1, 48, 64);
  for (const std::string fusion : {"irn", "psa", "seam", "plain"}) {
    const at::Tensor map = fused(*cam, image, fusion);
    EXPECT_GT(map.max().item<double>(), 0.5) << fusion;
    EXPECT_THAT(fused(*cam, image.flip(3), fusion), all_close(map.flip(2).contiguous(), 1e-4)) << fusion;
    // So that of a symmetric image is symmetric, though this network is not.
    const at::Tensor symmetric = fused(*cam, image + image.flip(3), fusion);
    EXPECT_THAT(symmetric.flip(2).contiguous(), all_close(symmetric, 1e-4)) << fusion;
  }
}

TEST_F(CamSpecification, TheMaximumOfANormalisedMapIsKnown) {
  const at::Tensor maps = at::rand({3, 7, 9}, run_.generator()) * at::tensor({1e-4, 1.0, 40.0}).view({3, 1, 1});
  const at::Tensor highest = maps.to(at::kFloat).amax({1, 2});
  EXPECT_THAT(kernels::normalise_maps(maps.to(at::kFloat), "max").amax({1, 2}),
              all_close(highest / (highest + 1e-5), 1e-6));
}

}  // namespace
}  // namespace seedbed::testing
