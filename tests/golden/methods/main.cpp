#include <gtest/gtest.h>

#include "runners.hpp"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  using namespace seedbed::testing;
  std::vector<GoldenRunner> runners;
  // clang-format off
  for (const auto& part : {
           attention_affinity_runners(),
           attention_runners(),
           background_runners(),
           bas_runners(),
           classification_runners(),
           dense_crf_runners(),
           drs_runners(),
           fitting_runners(),
           fusion_runners(),
           grad_cam_runners(),
           image_pyramid_runners(),
           irn_runners(),
           mars_runners(),
           pixel_adaptive_runners(),
           prm_runners(),
           psa_runners(),
           region_runners(),
           regulariser_runners(),
           seam_runners(),
           seeding_runners(),
           segmentation_loss_runners(),
           usage_inferred_runners(),
       }) {
    // clang-format on
    runners.insert(runners.end(), part.begin(), part.end());
  }
  // Components of which every golden is computed.
  // clang-format off
  register_method_goldens(runners, {
      "background",
      "bas",
      "cam",
      "classification_loss",
      "component_filter",
      "dense_crf",
      "dense_crf_exact",
      "dense_energy",
      "drs",
      "dsrg",
      "gated_crf",
      "grabcut",
      "grad_cam",
      "irn",
      "locally_adaptive",
      "mars",
      "optimizer",
      "pamr",
      "par",
      "pooling",
      "prm",
      "psa",
      "schedule",
      "seam",
      "sec",
      "segmentation_loss",
      "superpixel",
      "usage_inferred",
  });
  // clang-format on
  return RUN_ALL_TESTS();
}
