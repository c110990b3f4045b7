#include "dataset/coco_annotations.hpp"

#include <gmock/gmock.h>

#include "coco_folder.hpp"
#include "expect_user_error.hpp"

namespace seedbed::dataset {
namespace {

using seedbed::testing::annotation;
using seedbed::testing::errors_of;
using seedbed::testing::small_annotations;
using seedbed::testing::TempFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class CocoFile : public ::testing::Test {
 protected:
  std::shared_ptr<const CocoAnnotations> read(const std::string& text) const {
    return CocoAnnotations::read(folder_.write("instances.json", text));
  }

  std::vector<std::string> errors(const Json& json) const {
    return errors_of([&] { read(json.dump()); });
  }

  // The errors after a change of the first annotation.
  std::vector<std::string> errors_with(const std::string& key, Json value) const {
    Json changed = small_annotations();
    changed["annotations"][0][key] = std::move(value);
    return errors(changed);
  }

  TempFolder folder_;
};

TEST_F(CocoFile, IsReadWhole) {
  const auto file = read(small_annotations().dump());
  ASSERT_THAT(file->categories(), SizeIs(2));
  EXPECT_EQ(file->categories().front().name, "cat");  // by number
  ASSERT_THAT(file->images(), SizeIs(3));
  const CocoImage* image = file->find("b");
  ASSERT_NE(image, nullptr);
  EXPECT_EQ(image->width_px, 6);
  ASSERT_THAT(image->objects, SizeIs(2));
  EXPECT_THAT(image->objects[0].outlines, ElementsAre(8, 0, 0, 20, 0, 20, 10, 0, 10));
  EXPECT_THAT(image->objects[0].xywh, ElementsAre(0, 0, 4, 2));
  EXPECT_EQ(image->objects[0].area, 8);
  EXPECT_TRUE(image->objects[1].crowd);
  EXPECT_THAT(image->objects[1].runs, ElementsAre(8, 16));
  EXPECT_EQ(file->find("sub/b"), nullptr);
}

TEST_F(CocoFile, MayHoldItsPartsInAnyOrder) {
  const Json all = small_annotations();
  const Json turned{{"annotations", all["annotations"]}, {"categories", all["categories"]}, {"images", all["images"]}};
  EXPECT_THAT(read(turned.dump())->find("a")->objects, SizeIs(2));
}

TEST_F(CocoFile, IsReadOnceWhileItIsHeld) {
  const auto first = read(small_annotations().dump());
  EXPECT_EQ(CocoAnnotations::read(folder_ / "instances.json"), first);
  Json larger = small_annotations();
  larger["info"]["more"] = "text";
  EXPECT_NE(read(larger.dump()), first);
}

TEST_F(CocoFile, TakesCompressedRunsAndMasksOfSeveralOutlines) {
  Json changed = small_annotations();
  changed["annotations"][3]["segmentation"]["counts"] = "8`0";
  changed["annotations"][0]["segmentation"].push_back(seedbed::testing::rectangle(4, 0, 5, 1));
  const auto file = read(changed.dump());
  EXPECT_THAT(file->find("b")->objects[1].runs, ElementsAre(8, 16));
  EXPECT_THAT(file->find("a")->objects[0].outlines, SizeIs(18));
}

TEST_F(CocoFile, MustBeJson) {
  EXPECT_THAT(errors_of([&] { read(small_annotations().dump().substr(0, 200)); }),
              ElementsAre(AllOf(HasSubstr("instances.json"), HasSubstr("no valid JSON"), HasSubstr("line 1, column"))));
  EXPECT_THAT(errors_of([&] { read(""); }), ElementsAre(HasSubstr("no valid JSON")));
  EXPECT_THAT(errors_of([&] { CocoAnnotations::read(folder_ / "none.json"); }),
              ElementsAre(HasSubstr("cannot be read")));
  EXPECT_THAT(errors_of([&] { CocoAnnotations::read(folder_.path()); }), ElementsAre(HasSubstr("cannot be read")));
}

TEST_F(CocoFile, MustHaveItsParts) {
  Json changed = small_annotations();
  changed.erase("categories");
  EXPECT_THAT(errors(changed), ElementsAre(HasSubstr("lack a part: `categories`")));
  changed["categories"] = Json::object();
  EXPECT_THAT(errors(changed), ElementsAre(HasSubstr("is no list")));
}

TEST_F(CocoFile, NamesAnnotationsThatCannotBeUsed) {
  EXPECT_THAT(errors_with("area", "large"), ElementsAre(AllOf(HasSubstr("wrong kind: `10`, `area`"))));
  EXPECT_THAT(errors_with("segmentation", Json::array({1, 2, 3, 4, 5, 6})), ElementsAre(HasSubstr("`segmentation`")));
  EXPECT_THAT(errors_with("segmentation", Json::array({{1, 2, 3, 4, 5}})), ElementsAre(HasSubstr("`segmentation`")));
  EXPECT_THAT(errors_with("segmentation", Json::array({{1, 2, 3e6, 4, 5, 6}})),
              ElementsAre(HasSubstr("`segmentation`")));
  EXPECT_THAT(errors_with("segmentation", {{"size", {4, 6}}, {"counts", "\x7f"}}),
              ElementsAre(HasSubstr("`segmentation`")));
  EXPECT_THAT(errors_with("segmentation", {{"size", {4, 6}}, {"counts", {-1, 25}}}),
              ElementsAre(HasSubstr("`segmentation`")));
  EXPECT_THAT(errors_with("bbox", {1, 2, 3}), ElementsAre(HasSubstr("no box of four numbers: `10`")));
  EXPECT_THAT(errors_with("image_id", 1.5), ElementsAre(HasSubstr("lacks a number that it needs: `10`")));
  Json without = small_annotations();
  without["annotations"][0].erase("area");
  EXPECT_THAT(errors(without), ElementsAre(HasSubstr("lacks a number")));
}

TEST_F(CocoFile, HoldsRunsOfTheirImage) {
  EXPECT_THAT(errors_with("segmentation", {{"size", {4, 6}}, {"counts", {8, 10}}}),
              ElementsAre(AllOf(HasSubstr("do not fill"), HasSubstr("`18` pixels"), HasSubstr("6 x 4"))));
  EXPECT_THAT(errors_with("segmentation", {{"size", {6, 4}}, {"counts", {8, 16}}}),
              ElementsAre(HasSubstr("state another size")));
}

TEST_F(CocoFile, ResolvesItsNumbers) {
  EXPECT_THAT(errors_with("image_id", 9),
              ElementsAre(AllOf(HasSubstr("image that is not there: `10`"), HasSubstr("`9`"))));
  EXPECT_THAT(errors_with("category_id", 9), ElementsAre(HasSubstr("category that is not there: `10`")));
  Json twice = small_annotations();
  twice["images"].push_back(twice["images"][0]);
  twice["categories"].push_back(twice["categories"][0]);
  EXPECT_THAT(errors(twice), ElementsAre(HasSubstr("same name: `a`"), HasSubstr("categories have the same number: `7`"),
                                         HasSubstr("images have the same number: `1`")));
  Json flat = small_annotations();
  flat["images"][0]["height"] = 0;
  EXPECT_THAT(errors(flat), ElementsAre(HasSubstr("impossible size: `1`")));
  flat["images"][0]["height"] = 100'000;
  flat["images"][0]["width"] = 1001;
  EXPECT_THAT(errors(flat), ElementsAre(HasSubstr("impossible size: `1`")));
}

TEST_F(CocoFile, StopsAfterTwentyErrors) {
  Json many = small_annotations();
  for (int i = 0; i < 50; ++i) many["annotations"].push_back({{"id", 100 + i}});
  EXPECT_THAT(errors(many), SizeIs(20));
}

}  // namespace
}  // namespace seedbed::dataset
