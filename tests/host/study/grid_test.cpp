#include "study/grid.hpp"

#include <gmock/gmock.h>

#include "study_fixture.hpp"

namespace seedbed::study {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class GridTest : public StudyTest {
 protected:
  static constexpr std::string_view kPooling = R"(
[[grid.axis]]
name = "pooling"
key = "seed_generator.pooling"
values = ["gap", "top_k"]
)";
  static constexpr std::string_view kCells = R"(
[[grid.axis]]
name = "cells"
key = "seed_generator.top_cells"
values = [2, 4]
)";

  static std::string block(const std::vector<std::string_view>& axes) {
    std::string text = "[[grid]]\n";
    for (const std::string_view axis : axes) text += axis;
    return text;
  }

  std::vector<std::string> cells(const std::string& text) const {
    std::vector<std::string> all;
    for (const Cell& cell : read_with_base(text).cells) all.push_back(levels_of(cell));
    return all;
  }
};

TEST_F(GridTest, WithoutOneThereIsOneCell) {
  const Study study = read_with_base("");
  ASSERT_EQ(study.cells.size(), 1u);
  EXPECT_TRUE(study.cells[0].levels.empty());
  EXPECT_TRUE(study.axes.empty());
  EXPECT_EQ(study.name, "study") << "the file's name";
  EXPECT_THAT(study.random_seeds, ElementsAre(0));
}

TEST_F(GridTest, AFlagSwitchesItOff) { EXPECT_EQ(read_with_base(block({kPooling}), {"grid=[]"}).cells.size(), 1u); }

TEST_F(GridTest, ABlockIsTheProductOfItsAxes) {
  EXPECT_THAT(cells(block({kPooling, kCells})),
              ElementsAre("pooling = gap, cells = 2", "pooling = gap, cells = 4", "pooling = top_k, cells = 2",
                          "pooling = top_k, cells = 4"));
}

TEST_F(GridTest, AConditionalAxisHoldsOnlyWhereItShould) {
  const std::string only = std::string(kCells) + "only = { pooling = \"top_k\" }\n";
  EXPECT_THAT(cells(block({kPooling, only})),
              ElementsAre("pooling = gap", "pooling = top_k, cells = 2", "pooling = top_k, cells = 4"));
}

TEST_F(GridTest, ConditionsReadLabelsValuesAndLists) {
  const std::string bias = "[[grid.axis]]\nname = \"bias\"\nkey = \"seed_generator.bias\"\nvalues = [true, false]\n";
  const std::string only = std::string(kCells) + "only = { pooling = [\"gap\", \"top_k\"], bias = false }\n";
  EXPECT_EQ(cells(block({kPooling, bias, only})).size(), 2u * (1 + 2));
}

TEST_F(GridTest, ALevelSetsSeveralKeys) {
  const Study study = read_with_base(R"([[grid]]
[[grid.axis]]
name = "method"
levels = [
  { label = "CAM" },
  { label = "soft", set = { seed_generator.pooling = "softmax", seed_generator.train.epochs = 7, backbone.width = 8 } },
]
)");
  ASSERT_EQ(study.cells.size(), 2u);
  EXPECT_EQ(study.cells[0].resolved.at("backbone").at("parameters").at("width"), 24);
  EXPECT_EQ(study.cells[1].resolved.at("backbone").at("parameters").at("width"), 8);
  EXPECT_EQ(study.cells[1].resolved.at("seed_generator").at("parameters").at("pooling"), "softmax");
  EXPECT_EQ(study.cells[1].resolved.at("seed_generator").at("train").at("epochs"), 7);
}

TEST_F(GridTest, ALevelsMethodInheritsNoParameter) {
  const Study study = read_with_base(R"(train = { epochs = 9 }
[[grid]]
[[grid.axis]]
name = "delta"
key = "seed_generator.delta"
values = [0.25]
[[grid.axis]]
name = "method"
levels = [{ label = "adapter", set = { seed_generator = { method = "toy.adapter", adapt = true }, backbone.method = "toy.transformer" } }]
)");
  const Json& generator = study.cells.at(0).resolved.at("seed_generator");
  EXPECT_EQ(generator.at("parameters").at("delta"), 0.25) << "an axis before the method's counts all the same";
  EXPECT_EQ(generator.at("train").at("epochs"), 0);
  EXPECT_EQ(generator.at("train").at("steps"), 50);
}

TEST_F(GridTest, BlocksAreUnited) {
  const Study study = read_with_base(block({kPooling}) + block({kCells}));
  EXPECT_THAT(study.axes, ElementsAre("pooling", "cells"));
  EXPECT_EQ(study.cells.size(), 4u);
}

TEST_F(GridTest, EqualCellsFoldIntoOne) {
  const Study study = read_with_base("[[refiner]]\nmethod = \"pamr\"\n" + block({R"(
[[grid.axis]]
name = "pamr"
key = "refiner.pamr.enabled"
values = [true, false]
[[grid.axis]]
name = "iterations"
key = "refiner.pamr.iterations"
values = [5, 10]
)"}));
  ASSERT_EQ(study.cells.size(), 3u);
  EXPECT_EQ(levels_of(study.cells[2]), "pamr = false, iterations = 5");
  ASSERT_EQ(study.cells[2].folded.size(), 1u);
  EXPECT_EQ(in_words(study.cells[2].folded[0]), "pamr = false, iterations = 10");
}

TEST_F(GridTest, TheSamePointInTwoBlocksIsNoFold) {
  const Study study = read_with_base(block({kPooling}) + block({kPooling}));
  ASSERT_EQ(study.cells.size(), 2u);
  EXPECT_TRUE(study.cells[0].folded.empty());
}

TEST_F(GridTest, APresetThatSaysNothingNewIsNoOtherCell) {
  const Study study = read_with_base("[[refiner]]\nmethod = \"pamr\"\n" + block({R"(
[[grid.axis]]
name = "preset"
key = "refiner.pamr.preset"
values = ["", "released", "quick"]
)"}));
  EXPECT_EQ(study.cells.size(), 2u);
}

TEST_F(GridTest, ExclusionsLeavePointsOutAndSayWhy) {
  const Study study = read_with_base(block({kPooling, kCells}) + R"(
[[grid.exclude]]
when = { pooling = "gap", cells = [2, 4] }
reason = "it has no cells to count"
)");
  EXPECT_EQ(study.cells.size(), 2u);
  ASSERT_EQ(study.exclusions.size(), 2u);
  EXPECT_EQ(in_words(study.exclusions[0].levels), "pooling = gap, cells = 2");
  EXPECT_EQ(study.exclusions[0].reason, "it has no cells to count");
}

TEST_F(GridTest, LabelsAreWrittenForPeople) {
  EXPECT_THAT(cells(block({R"(
[[grid.axis]]
name = "scales"
key = "seed_generator.localise.scales"
values = [[1.0], [0.5, 1.0, 2.0]]
[[grid.axis]]
name = "rate"
key = "seed_generator.train.learning_rate"
values = [0.10, 1e-3]
)"})),
              ElementsAre("scales = [1], rate = 0.1", "scales = [1], rate = 0.001", "scales = [0.5, 1, 2], rate = 0.1",
                          "scales = [0.5, 1, 2], rate = 0.001"));
}

TEST_F(GridTest, AForgottenProductIsRefused) {
  std::string axes;
  for (int i = 0; i < 20; ++i) {
    const std::string name = "a" + std::to_string(i);
    axes += "[[grid.axis]]\nname = \"" + name + "\"\nlevels = [{ label = \"x\" }, { label = \"y\" }]\n";
  }
  EXPECT_THAT(errors_of(block({axes})), HasSubstr("the grid has too many points"));
}

TEST_F(GridTest, AMistakeOfSomeCellsSaysWhich) {
  EXPECT_THAT(errors_of(block({kCells, R"(
[[grid.axis]]
name = "bias"
key = "seed_generator.bias"
values = [true, 3]
)"})),
              HasSubstr("in 2 of 4 cells, the first is cells = 2, bias = 3"));
}

TEST_F(GridTest, AThousandCellsAreReadOnce) {
  const std::string rate = "[[grid.axis]]\nname = \"rate\"\nkey = \"seed_generator.train.learning_rate\"\nvalues = [";
  std::string values;
  for (int i = 1; i <= 500; ++i) values += std::to_string(i) + ", ";
  EXPECT_EQ(cells(block({kPooling, rate + values + "]\n"})).size(), 1000u);
}

}  // namespace
}  // namespace seedbed::study
