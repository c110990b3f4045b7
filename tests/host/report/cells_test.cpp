#include "report/cells.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_error.hpp"
#include "small_study.hpp"

namespace seedbed::report::test {
namespace {
using protocol::Cause;
using protocol::StageState;
using store::test::fill;
using store::test::small_study;
using store::test::SmallStudy;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Cells : public testing::Test {
 protected:
  Cells() : store_(store::Store::open(folder_.file(), store::Access::write)) {}

  void fill_with_a_crash() {
    fill(*store_);
    const std::int64_t attempt = store_->begin_attempt("fit-cam-0", 1, "logs/second.log");
    store_->end_attempt({"fit-cam-0", attempt, StageState::failed, Cause::crash, "The worker died.\nmore", 11});
  }
  std::string text(const CellsOptions& options = {}) {
    return rendered(cells_report(*store_, options), options, Format::text);
  }

  store::test::TemporaryFolder folder_;
  std::unique_ptr<store::Store> store_;
};

TEST_F(Cells, ListsEveryCellWithItsState) {
  fill(*store_);
  const std::string printed = text();
  EXPECT_THAT(printed, AllOf(HasSubstr("Study small\n"), HasSubstr("method=CAM, pamr=true"), HasSubstr("4/4"),
                             HasSubstr("6.0")));
  EXPECT_THAT(printed, Not(HasSubstr("failed"))) << "no stage failed, so no second table";
  EXPECT_EQ(cells_report(*store_, {}).cells.size(), 12u);
}

TEST_F(Cells, FailuresComeWithCauseAndLog) {
  fill_with_a_crash();
  const std::string printed = text();
  EXPECT_THAT(printed, HasSubstr("fit fit-cam-0: failed (crash, signal 11)"));
  EXPECT_THAT(printed, HasSubstr("Stages that failed or were interrupted"));
  EXPECT_THAT(printed, AllOf(HasSubstr("The worker died."), HasSubstr("logs/second.log"), Not(HasSubstr("more"))));
}

TEST_F(Cells, StagesOnRequest) {
  fill(*store_);
  CellsOptions options;
  options.stages = true;
  EXPECT_THAT(text(options),
              AllOf(HasSubstr("Stages\n"), HasSubstr("score score-grid-refined"), HasSubstr("logs/seeds-grid.log")));
  EXPECT_THAT(rendered(cells_report(*store_, options), options, Format::csv), HasSubstr("stage,key,state"));
  options.stages = false;
  EXPECT_THAT(rendered(cells_report(*store_, options), options, Format::csv), HasSubstr("point,random seed,levels"));
}

TEST_F(Cells, UnfinishedOnly) {
  fill_with_a_crash();
  CellsOptions options;
  options.unfinished_only = true;
  const CellsReport report = cells_report(*store_, options);
  ASSERT_EQ(report.cells.size(), 2u);
  EXPECT_EQ(report.cells[0].random_seed, 0);
  EXPECT_EQ(report.cells[0].state, "failed");
}

TEST_F(Cells, StagesAreSharedAndCounted) {
  fill_with_a_crash();
  for (const StageLine& stage : cells_report(*store_, {}).stages) {
    if (stage.key == "fit-cam-0") {
      EXPECT_EQ(stage.num_cells, 2);
      EXPECT_EQ(stage.attempts, 2);
      EXPECT_EQ(stage.seconds, 1.5) << "of the attempt that counts";
      EXPECT_EQ(stage.exit_signal, 11);
    }
    if (stage.key == "seeds-grid") {
      EXPECT_EQ(stage.num_cells, 6);
    }
  }
}

TEST_F(Cells, Json) {
  fill_with_a_crash();
  const CellsOptions options;
  const Json json = Json::parse(rendered(cells_report(*store_, options), options, Format::json));
  EXPECT_EQ(json["study"], "small");
  EXPECT_EQ(json["cells"].size(), 12u);
  EXPECT_EQ(json["cells"][0]["stages"], (Json{"fit-cam-0", "seeds-cam-0", "score-cam-0"}));
  EXPECT_EQ(json["stages"][0]["key"], "fit-cam-0");
  EXPECT_EQ(json["stages"][0]["cause"], "crash");
  EXPECT_EQ(json["stages"][0]["message"], "The worker died.\nmore");
  EXPECT_EQ(json["stages"][0]["log_file"], "logs/second.log");
}

TEST_F(Cells, PlannedAndLimitedStudies) {
  SmallStudy small = small_study();
  small.study.images_limit = 5;
  store_->record_study(small.study, small.stages);
  EXPECT_THAT(text(), AllOf(HasSubstr("first 5 images of each role"), HasSubstr("planned"), HasSubstr("0/3")));
}

TEST_F(Cells, UnknownStudyIsRefused) {
  fill(*store_);
  CellsOptions options;
  options.study = "smaller";
  EXPECT_THAT(store::test::user_error([&] { text(options); }), HasSubstr("did you mean `small`?"));
}

}  // namespace
}  // namespace seedbed::report::test
