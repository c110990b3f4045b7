#include "dataset/run_lengths.hpp"

#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "expect_user_error.hpp"

namespace seedbed::dataset {
namespace {

using seedbed::testing::errors_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::int32_t> fine_xy(const std::vector<double>& xy) {
  std::vector<std::int32_t> fine;
  for (const double pixels : xy) fine.push_back(fine_coordinate(pixels));
  return fine;
}

// One character a pixel, rows top to bottom: easier to read in a failure than runs.
std::string drawn(const RunLengths& runs, std::int64_t height, std::int64_t width) {
  std::string text;
  for (std::int64_t y = 0; y < height; ++y) text += std::string(static_cast<std::size_t>(width), '.') + "\n";
  for_each_run_inside(runs, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; ++at)
      text[static_cast<std::size_t>(at % height * (width + 1) + at / height)] = '#';
  });
  return text;
}

// Outlines inside and beyond the image, on the edges of pixels, crossing themselves: tests/golden/coco_masks.
TEST(RunLengths, EqualThoseOfCocosMaskApi) {
  std::ifstream file(SEEDBED_COCO_MASKS "/masks.json");
  const auto golden = nlohmann::json::parse(file);
  const auto height = golden.at("height_px").get<std::int64_t>(), width = golden.at("width_px").get<std::int64_t>();
  ASSERT_EQ(golden.at("cases").size(), 39U);
  for (const auto& each : golden.at("cases")) {
    const auto expected = each.at("runs").get<RunLengths>();
    const RunLengths found = runs_inside(fine_xy(each.at("outline")), height, width);
    EXPECT_EQ(num_pixels(found), height * width);
    EXPECT_EQ(drawn(found, height, width), drawn(expected, height, width)) << each.at("kind");
    EXPECT_EQ(drawn(runs_from_text(each.at("text").get<std::string>()), height, width), drawn(expected, height, width));
  }
}

TEST(RunLengths, FewerThanThreePointsEncloseNothing) {
  EXPECT_THAT(runs_inside(fine_xy({0, 0, 4, 4}), 5, 5), ElementsAre(25));
  EXPECT_THAT(runs_inside({}, 5, 5), ElementsAre(25));
}

TEST(RunLengths, TheWholeImageBeginsInside) {
  EXPECT_THAT(runs_inside(fine_xy({0, 0, 3, 0, 3, 2, 0, 2}), 2, 3), ElementsAre(0, 6));
}

TEST(RunLengths, RefuseDamagedTexts) {
  EXPECT_THAT(errors_of([] { runs_from_text("k6\x7f"); }), ElementsAre(HasSubstr("damaged")));
  EXPECT_THAT(errors_of([] { runs_from_text("oooo"); }), ElementsAre(HasSubstr("damaged")));  // a number without end
  EXPECT_THAT(errors_of([] { runs_from_text(std::string(40, 'o')); }), ElementsAre(HasSubstr("damaged")));
  EXPECT_THAT(errors_of([] { runs_from_text("11N"); }), ElementsAre(HasSubstr("impossible run: `-2`")));
}

}  // namespace
}  // namespace seedbed::dataset
