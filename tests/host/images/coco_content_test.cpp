// Masks, objects and boxes of a data set that draws them.
#include <gmock/gmock.h>

#include <ATen/ATen.h>

#include "../dataset/coco_folder.hpp"
#include "image_files.hpp"
#include "images/accessor.hpp"
#include "images/box_map.hpp"
#include "images/check_dataset.hpp"
#include "seedbed/error.hpp"

namespace seedbed::images {
namespace {

using dataset::Content;
using seedbed::testing::CocoFolder;
using seedbed::testing::jpeg_bytes;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class CocoContent : public ::testing::Test {
 protected:
  CocoContent() {
    for (const char* id : {"a", "b", "c"})
      coco_.folder().write("train/" + std::string(id) + ".jpg", jpeg_bytes(4, 6, 3));
  }

  LabelledImages open(std::set<Content> contents) const {
    return {std::make_shared<DecodedContent>(dataset::Dataset::open(coco_.table())),
            {"cam", "train", "train", std::move(contents), {}}};
  }

  CocoFolder coco_;
};

TEST_F(CocoContent, HandsOutWhatIsDrawn) {
  LabelledImages images = open({Content::mask, Content::instances, Content::boxes, Content::image_labels});
  EXPECT_EQ(images.mask("a")[1][1].item<int>(), 2);
  EXPECT_EQ(images.mask("b")[3][5].item<int>(), 255);
  EXPECT_EQ(images.instances("a")[1][1].item<int>(), 1);
  EXPECT_THAT(images.image_labels("a"), ElementsAre(1, 2));
  EXPECT_THAT(images.boxes("a"), SizeIs(2));
  EXPECT_THAT(images.boxes("b"), SizeIs(2));
  const auto ledger = images.ledger();
  ASSERT_EQ(ledger.front().kind, "boxes");
  EXPECT_EQ(ledger.front().opens, 2);
}

TEST_F(CocoContent, KeepsBoxesFromWhoDidNotDeclareThem) {
  LabelledImages images = open({Content::image});
  EXPECT_THROW(images.boxes("a"), ContractError);
}

// `b`: a dog's box over the upper left, and a crowd's over columns 2 to 5.
TEST_F(CocoContent, HasBoxesAsASideInput) {
  const auto content = std::make_shared<DecodedContent>(dataset::Dataset::open(coco_.table()));
  LabelledImages images(content, {"a", "train", "train", {Content::image, Content::side}, {"boxes"}});
  EXPECT_EQ(content->dataset().side_kind("boxes"), dataset::SideKind::labels);
  const at::Tensor map = images.side("boxes", "b");
  ASSERT_EQ(map.sizes(), (std::vector<std::int64_t>{4, 6}));
  EXPECT_EQ(map[0][3].item<int>(), 2);
  EXPECT_EQ(map[0][4].item<int>(), 255);
  EXPECT_EQ(map[3][1].item<int>(), 0);
  EXPECT_EQ(images.side("boxes", "a")[1][1].item<int>(), 2);  // the small dog's over the cat's
  EXPECT_EQ(images.side("boxes", "a")[0][0].item<int>(), 1);
  EXPECT_EQ(images.side("boxes", "c").max().item<int>(), 0);
  EXPECT_EQ(images.ledger().front().kind, "side:boxes");
}

TEST_F(CocoContent, ReadsDeclaredBoxesFromTheirFiles) {
  const auto dataset = dataset::Dataset::open(coco_.with("side", {{"boxes", {{"folder", "boxes"}}}}));
  EXPECT_THAT(dataset->side_inputs(), SizeIs(1));
  EXPECT_EQ(dataset->side_kind("boxes"), dataset::SideKind::grey);
  DecodedContent content(dataset);
  EXPECT_THROW(content.side("boxes", "a"), UserError);  // no such file
  EXPECT_THROW(dataset->digest({"a"}, Content::side, "boxes"), UserError);
}

TEST(BoxMap, TakesPixelsByTheirMiddles) {
  const at::Tensor map = box_map({{1, 0.4, 0.6, 2.6, 5, false}, {2, 2.0, -1, 2.2, 9, false}}, 3, 4);
  EXPECT_EQ(map[0].sum().item<int>(), 0);  // the box begins below the middle of the first row
  EXPECT_EQ(map[1].sum().item<int>(), 3);  // columns 0 to 2; the narrow box holds no middle
}

TEST(BoxMap, OfAScene) {
  const auto dataset = dataset::Dataset::open({{"kind", "scenes"}});
  DecodedContent content(dataset);
  const at::Tensor map = content.side("boxes", "scene-00000"), mask = content.mask("scene-00000");
  EXPECT_FALSE(map.eq(0).logical_and(mask.gt(0).logical_and(mask.lt(255))).any().item<bool>());
  EXPECT_NE(dataset->digest({"scene-00000"}, Content::side, "boxes"),
            dataset->digest({"scene-00000"}, Content::side, "saliency"));
}

TEST_F(CocoContent, FitsItsImages) {
  coco_.folder().write("train/a.jpg", jpeg_bytes(6, 4, 3));
  LabelledImages images = open({Content::mask, Content::instances});
  EXPECT_THROW(images.mask("a"), UserError);
  EXPECT_THROW(images.instances("a"), UserError);
}

TEST_F(CocoContent, IsChecked) {
  EXPECT_THAT(check_dataset_table(coco_.table()), IsEmpty());
  coco_.folder().write("train/a.jpg", jpeg_bytes(6, 4, 3));
  std::filesystem::remove(coco_.folder() / "train/b.jpg");
  EXPECT_THAT(check_dataset_table(coco_.table()), ElementsAre(AllOf(Field(&Finding::where, HasSubstr("a.jpg")),
                                                                    Field(&Finding::problem, HasSubstr("6 x 4"))),
                                                              Field(&Finding::where, HasSubstr("b.jpg"))));
  coco_.folder().write("lists/more.txt", "a\nz\n");
  dataset::Json table = coco_.with("roles", {{"test", "more"}});
  table["labels"] = "masks";
  EXPECT_THAT(check_dataset_table(table),
              ::testing::Contains(Field(&Finding::problem, HasSubstr("not hold this image: `z`"))));
}

}  // namespace
}  // namespace seedbed::images
