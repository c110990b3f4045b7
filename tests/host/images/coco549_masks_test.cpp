// Masks drawn from COCO's annotations beside the PNG files that were made of them.
#include <gmock/gmock.h>

#include <ATen/ATen.h>

#include "images/check_dataset.hpp"
#include "images/decode.hpp"
#include "images/decoded_content.hpp"
#include "support/shared_folder.hpp"

namespace seedbed::images {
namespace {

dataset::Json coco549(const std::filesystem::path& root) {
  return {
      {"kind", "coco"},           {"root", root.string()}, {"annotations", "instances.json"}, {"images", "JPEGImages"},
      {"classes", "classes.csv"}, {"names", "name"},       {"roles", {{"test", "instances"}}}};
}

TEST(Coco549Masks, EqualTheirFiles) {
  SEEDBED_SHARED_OR_SKIP(root, "data/coco549");
  const auto dataset = dataset::Dataset::open(coco549(root));
  DecodedContent content(dataset);
  const std::vector<std::string>& ids = dataset->role("test").image_ids;
  ASSERT_EQ(ids.size(), 549U);
  for (const std::string& id : ids) {
    const at::Tensor file = decode_mask_values(root / "SegmentationClass" / (id + ".png"));
    const at::Tensor drawn = content.mask(id);
    ASSERT_EQ(drawn.sizes(), file.sizes()) << id;
    EXPECT_EQ(drawn.ne(file).sum().item<std::int64_t>(), 0) << id;
  }
}

TEST(Coco549Masks, ShowEachClassOfTheirObjects) {
  SEEDBED_SHARED_OR_SKIP(root, "data/coco549");
  const auto dataset = dataset::Dataset::open(coco549(root));
  DecodedContent content(dataset);
  const std::vector<std::string>& ids = dataset->role("test").image_ids;
  for (std::size_t i = 0; i < ids.size(); i += 5) {
    const std::string& id = ids[i];
    const at::Tensor objects = content.instances(id), mask = content.mask(id);
    EXPECT_TRUE(objects.gt(0).eq(mask.gt(0)).all().item<bool>()) << id;
    EXPECT_TRUE(objects.eq(255).eq(mask.eq(255)).all().item<bool>()) << id;
    const auto labels = dataset->image_labels(id);
    for (const std::int64_t label : *labels) EXPECT_TRUE(mask.eq(label).any().item<bool>()) << id;
  }
}

TEST(Coco549Masks, PassTheCheck) {
  SEEDBED_SHARED_OR_SKIP(root, "data/coco549");
  dataset::Json table = coco549(root);
  table["roles"]["test"] = "instances:12";
  EXPECT_THAT(check_dataset_table(table), ::testing::IsEmpty());
}

}  // namespace
}  // namespace seedbed::images
