#include <gtest/gtest.h>

#include "runners.hpp"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  std::vector<seedbed::testing::GoldenRunner> runners;
  for (const auto& part :
       {seedbed::testing::attention_runners(), seedbed::testing::background_runners(), seedbed::testing::bas_runners(),
        seedbed::testing::classification_runners(), seedbed::testing::drs_runners(),
        seedbed::testing::fitting_runners(), seedbed::testing::fusion_runners(),
        seedbed::testing::image_pyramid_runners(), seedbed::testing::pixel_adaptive_runners(),
        seedbed::testing::prm_runners(), seedbed::testing::seam_runners()}) {
    runners.insert(runners.end(), part.begin(), part.end());
  }
  seedbed::testing::register_method_goldens(runners, {"background", "bas", "cam", "classification_loss", "optimizer",
                                                      "pamr", "par", "pooling", "prm", "schedule", "seam"});
  return RUN_ALL_TESTS();
}
