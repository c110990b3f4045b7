#include "dataset/coco_painting.hpp"

#include <gmock/gmock.h>

#include "coco_folder.hpp"
#include "expect_user_error.hpp"

namespace seedbed::dataset {
namespace {

using seedbed::testing::errors_of;
using seedbed::testing::small_annotations;
using seedbed::testing::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CocoPainter : public ::testing::Test {
 protected:
  const CocoImage& image(const std::string& name) {
    file_ = CocoAnnotations::read(folder_.write("instances.json", json_.dump()));
    return *file_->find(name);
  }

  // Rows of digits, `x` for 255.
  static std::string text(const DrawnPlane& plane) {
    std::string rows;
    for (std::size_t i = 0; i < plane.values_hw.size(); ++i) {
      if (i > 0 && i % static_cast<std::size_t>(plane.width_px) == 0) rows += "\n";
      rows += plane.values_hw[i] == 255 ? std::string("x") : std::to_string(plane.values_hw[i]);
    }
    return rows;
  }

  std::string values(const std::string& name, CocoPainting painting = {}) {
    return text(paint_values(image(name), painting, [](std::int64_t id) { return static_cast<std::uint8_t>(id); }));
  }

  TempFolder folder_;
  Json json_ = small_annotations();
  std::shared_ptr<const CocoAnnotations> file_;
};

TEST_F(CocoPainter, LaysSmallObjectsOverLargeOnes) {
  EXPECT_EQ(values("a"), "333300\n377300\n377300\n333300");
  EXPECT_EQ(values("c"), "000000\n000000\n000000\n000000");
}

TEST_F(CocoPainter, LaysLaterObjectsOverEarlierOnesOnRequest) {
  EXPECT_EQ(values("a", {.by_area = false}), "333300\n333300\n333300\n333300");
}

TEST_F(CocoPainter, OrdersEqualAreasByNumber) {
  json_["annotations"][0]["area"] = 16;  // number 10 lies over number 5, which stands behind it in the file
  EXPECT_EQ(values("a"), "333300\n377300\n377300\n333300");
  json_["annotations"][0]["id"] = 4;
  EXPECT_EQ(values("a"), "333300\n333300\n333300\n333300");
}

TEST_F(CocoPainter, IgnoresCrowdsWhereNoObjectLies) {
  EXPECT_EQ(values("b"), "7777xx\n7777xx\n00xxxx\n00xxxx");
  EXPECT_EQ(values("b", {.ignore_crowds = false}), "777777\n777777\n007777\n007777");
  json_["annotations"][2]["category_id"] = 3;  // objects keep their pixels, whatever the order
  EXPECT_EQ(values("b", {.by_area = false}), "3333xx\n3333xx\n00xxxx\n00xxxx");
}

TEST_F(CocoPainter, NumbersVisibleObjectsInTheOrderOfTheFile) {
  EXPECT_EQ(text(paint_objects(image("a"), {})), "222200\n211200\n211200\n222200");
  EXPECT_EQ(text(paint_objects(image("b"), {})), "1111xx\n1111xx\n00xxxx\n00xxxx");
  EXPECT_EQ(text(paint_objects(image("a"), {.by_area = false})), "111100\n111100\n111100\n111100");
}

TEST_F(CocoPainter, RefusesMoreObjectsThanAMapHolds) {
  json_["images"][0]["width"] = 300;
  json_["annotations"] = Json::array();
  for (int i = 0; i < 254; ++i) json_["annotations"].push_back(seedbed::testing::annotation(i, 1, 3, i, 0, i + 1, 1));
  const CocoImage& crowded = image("a");
  EXPECT_THAT(errors_of([&] { paint_objects(crowded, {}); }), ElementsAre(HasSubstr("hold this many: `254`")));
}

}  // namespace
}  // namespace seedbed::dataset
