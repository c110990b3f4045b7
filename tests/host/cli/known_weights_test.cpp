#include "cli/known_weights.hpp"

#include <string>

#include <gtest/gtest.h>

namespace seedbed::cli {
namespace {

constexpr const char* kVitB16 = "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f";

TEST(KnownWeights, ByNameAndByContent) {
  EXPECT_EQ(find_known_weights("resnet50-0676ba61.pth", "")->origin, "torchvision ResNet50_Weights.IMAGENET1K_V1");
  EXPECT_EQ(find_known_weights("renamed.pth", kVitB16)->name, "ViT-B-16.pt");
  EXPECT_EQ(find_known_weights("renamed.pth", "0676ba61" + std::string(56, '0'))->name, "resnet50-0676ba61.pth");
  EXPECT_EQ(find_known_weights("renamed.pth", ""), nullptr);
  // Published without a digest: known by its name alone, and any content may be it.
  EXPECT_EQ(find_known_weights("mit_b1.pth", std::string(64, '0'))->origin, "SegFormer's authors, MiT-B1 (ImageNet)");
  EXPECT_EQ(find_known_weights("renamed.pth", std::string(64, '0')), nullptr);
  EXPECT_EQ(expected_digest("mit_b1.pth", find_known_weights("mit_b1.pth", "")), "");
}

TEST(KnownWeights, TheDigestThatWasPublished) {
  EXPECT_EQ(expected_digest("ViT-B-16.pt", find_known_weights("ViT-B-16.pt", "")), kVitB16);
  EXPECT_EQ(expected_digest("anything-0123abcd.pth", nullptr), "0123abcd");
  for (const char* name : {"my-weights.pth", "net-0123.pth", "net.pth", "net-0123abcg.pth"}) {
    EXPECT_EQ(expected_digest(name, nullptr), "") << name;
  }
}

}  // namespace
}  // namespace seedbed::cli
