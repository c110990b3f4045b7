#include "weights/likely_names.hpp"

#include <gmock/gmock.h>

namespace seedbed::weights {
namespace {

using ::testing::ElementsAre;

TEST(LikelyNames, TheSameEndUnderAnotherPrefix) {
  EXPECT_THAT(likely_names({"layer1.0.conv1.weight", "layer2.0.conv1.weight"},
                           {"backbone.layer2.0.conv1.weight", "backbone.layer1.0.conv1.weight", "conv1.weight"}),
              ElementsAre("backbone.layer1.0.conv1.weight", "backbone.layer2.0.conv1.weight"));
}

TEST(LikelyNames, ElseTheNearestByLetters) {
  EXPECT_THAT(likely_names({"conv1.weight", "fc.bias"}, {"conv_1.weight", "nothing.like.it"}),
              ElementsAre("conv_1.weight", ""));
  EXPECT_THAT(likely_names({"conv1.weight"}, {}), ElementsAre(""));
}

}  // namespace
}  // namespace seedbed::weights
