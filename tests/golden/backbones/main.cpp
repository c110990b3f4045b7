#include <gtest/gtest.h>

#include "backbone_golden.hpp"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  auto runners = seedbed::testing::squeezenet_runners();
  for (const auto& runner : seedbed::testing::clip_runners()) runners.push_back(runner);
  for (const auto& runner : seedbed::testing::drs_runners()) runners.push_back(runner);
  for (const auto& runner : seedbed::testing::head_runners()) runners.push_back(runner);
  for (const auto& runner : seedbed::testing::segformer_runners()) runners.push_back(runner);
  for (const auto& runner : seedbed::testing::convolutional_runners()) runners.push_back(runner);
  for (const auto& runner : seedbed::testing::transformer_runners()) runners.push_back(runner);
  seedbed::testing::register_backbone_goldens(runners);
  return RUN_ALL_TESTS();
}
