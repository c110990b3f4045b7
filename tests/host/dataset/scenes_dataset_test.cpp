#include <gmock/gmock.h>

#include "dataset/dataset.hpp"
#include "dataset/scenes.hpp"
#include "expect_user_error.hpp"

namespace seedbed::dataset {
namespace {

using seedbed::testing::errors_of;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(ScenesDataset, NeedsNothingButItsKind) {
  const auto dataset = Dataset::open({{"kind", "scenes"}});
  EXPECT_EQ(dataset->classes().num_classes(), 4);
  EXPECT_THAT(dataset->role("train").image_ids, SizeIs(200));
  EXPECT_TRUE(dataset->role("test").has_masks);
  EXPECT_EQ(dataset->role("test").image_ids.front(), "scene-00240");
  EXPECT_EQ(dataset->entry("scene-00240").index, 240);
  EXPECT_EQ(*dataset->image_labels("scene-00240"), render_scene({}, 240).image_labels);
  for (const auto& [key, value] : dataset->table().items()) EXPECT_THAT(legal_keys("scenes"), Contains(key));
  EXPECT_EQ(dataset->table()["max_objects"], 3);
}

TEST(ScenesDataset, RolesAreRangesAndPartsOfThem) {
  const auto dataset =
      Dataset::open({{"kind", "scenes"}, {"roles", {{"measure", "0..50"}, {"select", "0..50:1-per-class"}}}});
  EXPECT_LE(dataset->role("select").image_ids.size(), 4U);
  EXPECT_EQ(dataset->role("select").image_ids.size() + dataset->role("measure").image_ids.size(), 50U);
}

TEST(ScenesDataset, DigestsFollowSettingsAndImages) {
  const auto dataset = Dataset::open({{"kind", "scenes"}});
  const auto other = Dataset::open({{"kind", "scenes"}, {"world_seed", 1}});
  const std::vector<std::string> ids{"scene-00000"};
  EXPECT_EQ(dataset->digest(ids, Content::image), Dataset::open({{"kind", "scenes"}})->digest(ids, Content::image));
  EXPECT_NE(dataset->digest(ids, Content::image), other->digest(ids, Content::image));
  EXPECT_NE(dataset->digest(ids, Content::image), dataset->digest(ids, Content::mask));
}

TEST(ScenesDataset, NamesEverythingThatIsWrong) {
  EXPECT_THAT(
      errors_of([] {
        Dataset::open(
            {{"kind", "scenes"}, {"height_px", 8}, {"clases", 3}, {"roles", {{"test", "5..2"}, {"train", "a..b"}}}});
      }),
      ElementsAre(AllOf(HasSubstr("dataset.height_px"), HasSubstr("from 32 to 4096")), HasSubstr("dataset.clases"),
                  HasSubstr("`5..2`"), HasSubstr("`a..b`")));
}

TEST(ScenesDataset, NamesAnImageOfNoRole) {
  const auto dataset = Dataset::open({{"kind", "scenes"}});
  EXPECT_THAT(errors_of([&] { dataset->entry("scene-99999"); }), ElementsAre(HasSubstr("scene-99999")));
  EXPECT_THAT(errors_of([&] { dataset->role("tset"); }), ElementsAre(HasSubstr("Did you mean `test`?")));
}

}  // namespace
}  // namespace seedbed::dataset
