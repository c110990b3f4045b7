#include "report/table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_error.hpp"
#include "small_study.hpp"

namespace seedbed::report::test {
namespace {
using protocol::Cause;
using protocol::StageResult;
using protocol::StageState;
using store::StageRecord;
using store::test::fill;
using store::test::finish;
using store::test::small_study;
using store::test::SmallStudy;
using store::test::user_error;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class SeedsTable : public testing::Test {
 protected:
  SeedsTable() : store_(store::Store::open(folder_.file(), store::Access::write)) {}

  Table table(const TableOptions& options = {}) { return seeds_table(*store_, options); }
  std::string text(const TableOptions& options = {}) { return rendered(table(options), Format::text); }
  void record(const SmallStudy& small) { store_->record_study(small.study, small.stages); }
  void finish_all_but(const SmallStudy& small, const std::vector<std::string>& left_out) {
    for (const StageRecord& stage : small.stages) {
      if (std::find(left_out.begin(), left_out.end(), stage.key) == left_out.end()) finish(*store_, stage.key);
    }
  }
  void fail(const std::string& key, Cause cause) {
    const std::int64_t attempt = store_->begin_attempt(key, 1, "logs/" + key + ".log");
    store_->end_attempt({key, attempt, StageState::failed, cause, "it broke", 11});
  }

  store::test::TemporaryFolder folder_;
  std::unique_ptr<store::Store> store_;
};

std::vector<std::string> names(const Table& table) {
  std::vector<std::string> names;
  for (const TableColumn& column : table.columns) names.push_back(column.name());
  return names;
}

TEST_F(SeedsTable, Text) {
  fill(*store_);
  EXPECT_EQ(text(),
            "Study small, plan plan-1\n"
            "\n"
            "                 seeds             seeds\n"
            "                 miou_union        miou_union\n"
            "                 measure           measure\n"
            "method    pamr   (fixed 0.15) [%]  (oracle) [%]\n"
            "────────  ─────  ────────────────  ─────────────────────────\n"
            "CAM [a]   false  36.00 ± 1.00 (3)  41.00 ± 1.00 (3) @ 0.35 †\n"
            "CAM [a]   true   41.00 ± 1.00 (3)  46.00 ± 1.00 (3) @ 0.35 †\n"
            "GRID [b]  false  25.00 (1)         30.00 (1) @ 0.35 †\n"
            "GRID [b]  true   30.00 (1)         35.00 (1) @ 0.35 †\n"
            "\n"
            "† oracle: its value is the best on the scored masks\n"
            "[a] pretrained weights: imagenet; trained on: image_labels (train); image labels at inference: given "
            "(measure)\n"
            "[b] image labels at inference: given (measure)\n"
            "mean ± standard deviation over random seeds (n); stages that draw no numbers count once\n");
}

TEST_F(SeedsTable, LatexSetsOffTheBestAndTheSecond) {
  fill(*store_);
  const std::string latex = rendered(table(), Format::latex);
  EXPECT_THAT(latex,
              HasSubstr("CAM\\textsuperscript{a} & true & \\textbf{41.00} $\\pm$ 1.00 (3) & \\textbf{46.00} $\\pm$ "
                        "1.00 (3) @ 0.35\\textsuperscript{$\\dagger$} \\\\"));
  EXPECT_THAT(latex, HasSubstr("CAM\\textsuperscript{a} & false & \\underline{36.00}"));
  EXPECT_THAT(latex, HasSubstr("GRID\\textsuperscript{b} & false & 25.00 (1)"));
}

TEST_F(SeedsTable, CsvAndJsonHoldValues) {
  fill(*store_);
  const std::string csv = rendered(table(), Format::csv);
  EXPECT_THAT(csv, HasSubstr("method,pamr,images_limit,seeds miou_union measure (fixed 0.15) mean,"));
  EXPECT_THAT(csv, HasSubstr("\nGRID,true,0,0.3,,1,0,,0.35,,1,1,\n"));
  const Json json = Json::parse(rendered(table(), Format::json));
  EXPECT_EQ(json["study"], "small");
  EXPECT_EQ(json["columns"][1]["rule"], "oracle");
  EXPECT_EQ(json["rows"][3]["labels"], (Json{{"method", "GRID"}, {"pamr", "true"}}));
  EXPECT_EQ(json["rows"][3]["values"][1]["mean"], 0.35);
  EXPECT_EQ(json["rows"][3]["values"][1]["spread"], nullptr);
  EXPECT_EQ(json["rows"][3]["values"][1]["oracle"], true);
  EXPECT_EQ(json["rows"][0]["values"][0]["n"], 3);
  EXPECT_EQ(json["rows"][0]["values"][0]["rule_minimum"], 0.15);
}

TEST_F(SeedsTable, AxesMayStandAcross) {
  fill(*store_);
  TableOptions options;
  options.columns = {"pamr"};
  options.rules = {"oracle"};
  const Table across = table(options);
  EXPECT_EQ(across.axes, std::vector<std::string>{"method"});
  EXPECT_THAT(names(across), ElementsAre("pamr=false seeds miou_union measure (oracle)",
                                         "pamr=true seeds miou_union measure (oracle)"));
  ASSERT_EQ(across.rows.size(), 2u);
  EXPECT_DOUBLE_EQ(across.rows[0].places[1].number->mean, 0.46);
  EXPECT_EQ(across.rows[1].places[0].number->mean, 0.30);
  EXPECT_EQ(across.rows[0].places[1].number->rank, 1);
}

TEST_F(SeedsTable, RowsTellWhatEachOfTheirPointsWasShown) {
  fill(*store_);
  TableOptions options;
  options.columns = {"method"};
  const Table across = table(options);
  ASSERT_EQ(across.rows.size(), 2u);
  EXPECT_EQ(across.rows[0].shown.size(), 2u) << "CAM trains, GRID does not";
  EXPECT_THAT(text(options), AllOf(Not(HasSubstr("every row")), HasSubstr("[a][b]")));
}

TEST_F(SeedsTable, AwaitedScoresAddNoColumnWhereOthersWereAskedFor) {
  const SmallStudy small = small_study();
  record(small);
  finish_all_but(small, {"score-grid"});
  TableOptions options;
  options.metrics = {"pixel_accuracy"};
  EXPECT_EQ(table(options).columns.size(), 1u);
  EXPECT_EQ(table(options).rows[2].places[0].missing, "planned");
}

TEST_F(SeedsTable, AxesThatStandNowhereAreAdded) {
  fill(*store_);
  TableOptions options;
  options.rows = {"pamr"};
  EXPECT_EQ(table(options).axes, (std::vector<std::string>{"pamr", "method"}));
  EXPECT_EQ(table(options).rows.size(), 4u);
}

TEST_F(SeedsTable, ConstantAxisIsLeftOutOnlyWhereRowsAreNamed) {
  SmallStudy small = small_study();
  small.study.axes.push_back("constant");
  for (auto& cell : small.study.cells) cell.levels.emplace_back("constant", "yes");
  record(small);
  EXPECT_EQ(table().axes.size(), 3u);
  TableOptions options;
  options.rows = {"method"};
  EXPECT_EQ(table(options).axes, (std::vector<std::string>{"method", "pamr"}));
}

TEST_F(SeedsTable, ChoosesMetricsTargetsRolesRulesAndClasses) {
  fill(*store_);
  TableOptions options;
  options.metrics = {"pixel_accuracy", "miou_union"};
  options.targets = {"seeds"};
  options.roles = {"measure"};
  options.rules = {"oracle"};
  EXPECT_THAT(names(table(options)),
              ElementsAre("seeds pixel_accuracy measure (oracle)", "seeds miou_union measure (oracle)"));
  options = {};
  options.class_name = "disc";
  EXPECT_THAT(names(table(options)), ElementsAre("seeds iou measure (oracle)"));
  options = {};
  options.metrics = {"loss"};
  EXPECT_THAT(user_error([&] { table(options); }), HasSubstr("name one of its classes with --class: total"));
  options.class_name = "total";
  EXPECT_FALSE(table(options).columns.at(0).as_percent) << "a loss is no share";
  EXPECT_EQ(table(options).rows.at(0).places.at(0).number->rank, 1);
}

TEST_F(SeedsTable, UnknownNamesAreRefused) {
  fill(*store_);
  const auto error = [&](auto change) {
    TableOptions options;
    change(options);
    return user_error([&] { table(options); });
  };
  EXPECT_THAT(error([](auto& o) { o.study = "smal"; }),
              AllOf(HasSubstr("no study of this name"), HasSubstr("did you mean `small`?")));
  EXPECT_THAT(error([](auto& o) { o.study = "entirely different"; }), HasSubstr("it holds: small"));
  EXPECT_THAT(error([](auto& o) { o.metrics = {"miou_unoin"}; }),
              AllOf(HasSubstr("no such metric"), HasSubstr("`miou_union`?")));
  EXPECT_THAT(error([](auto& o) { o.targets = {"seds"}; }), AllOf(HasSubstr("no such target"), HasSubstr("`seeds`?")));
  EXPECT_THAT(error([](auto& o) { o.roles = {"mesure"}; }), AllOf(HasSubstr("no such role"), HasSubstr("`measure`?")));
  EXPECT_THAT(error([](auto& o) { o.rules = {"guess"}; }),
              AllOf(HasSubstr("no such rule"), HasSubstr("fixed, oracle")));
  EXPECT_THAT(error([](auto& o) { o.rows = {"metod"}; }), AllOf(HasSubstr("no such axis"), HasSubstr("`method`?")));
  EXPECT_THAT(error([](auto& o) { o.columns = {"pamrr"}; }), HasSubstr("no such axis"));
  EXPECT_THAT(error([](auto& o) { o.class_name = "disk"; }), AllOf(HasSubstr("no such class"), HasSubstr("`disc`?")));
}

TEST_F(SeedsTable, EmptyStoreSaysWhatToDo) {
  EXPECT_THAT(user_error([&] { table(); }), AllOf(HasSubstr("holds no study yet"), HasSubstr("seedbed run")));
  TableOptions options;
  options.study = "any";
  EXPECT_THAT(user_error([&] { table(options); }), HasSubstr("holds no study yet"));
}

TEST_F(SeedsTable, StudysOwnReportTableIsFollowed) {
  SmallStudy small = small_study();
  small.study.report = {{"rows", {"method"}},
                        {"columns", {"pamr"}},
                        {"metrics", {"pixel_accuracy", "still_to_come"}},
                        {"targets", Json::array()},
                        {"roles", {"measure"}}};
  record(small);
  for (const StageRecord& stage : small.stages) finish(*store_, stage.key);
  EXPECT_THAT(names(table()), ElementsAre("pamr=false seeds pixel_accuracy measure (oracle)",
                                          "pamr=true seeds pixel_accuracy measure (oracle)"));
  TableOptions flags;
  flags.metrics = {"miou_union"};
  flags.rules = {"fixed"};
  EXPECT_THAT(names(table(flags)), ElementsAre("pamr=false seeds miou_union measure (fixed 0.15)",
                                               "pamr=true seeds miou_union measure (fixed 0.15)"));
}

TEST_F(SeedsTable, PlannedStudyHasAColumnOfReasons) {
  record(small_study());
  const Table planned = table();
  EXPECT_THAT(names(planned), ElementsAre("score:seeds@measure"));
  ASSERT_EQ(planned.rows.size(), 4u);
  EXPECT_EQ(planned.rows[0].places[0].missing, "planned");
  EXPECT_THAT(text(), HasSubstr("planned"));
}

TEST_F(SeedsTable, FailuresAreShownWithTheirCause) {
  const SmallStudy small = small_study();
  record(small);
  finish_all_but(small, {"seeds-grid", "refine-grid", "score-grid", "score-grid-refined", "score-cam-1-refined"});
  fail("seeds-grid", Cause::out_of_memory);
  fail("score-cam-1-refined", Cause::crash);
  const std::string printed = text();
  EXPECT_THAT(printed, HasSubstr("failed (out_of_memory)"));
  EXPECT_THAT(printed, HasSubstr("1 of 3 random seeds: failed (crash)"));
  const Table failed = table();
  EXPECT_EQ(failed.rows[1].places[0].number->n, 2);
  EXPECT_FALSE(failed.rows[2].places[0].number);
  EXPECT_EQ(failed.rows[2].places[0].missing, "failed (out_of_memory)");
  const Json json = Json::parse(rendered(failed, Format::json));
  EXPECT_EQ(json["rows"][2]["values"][0], (Json{{"missing", "failed (out_of_memory)"}}));
  EXPECT_EQ(json["rows"][1]["values"][0]["missing"], "1 of 3 random seeds: failed (crash)");
}

TEST_F(SeedsTable, NumbersThatAPointDoesNotHaveAreDashes) {
  SmallStudy small = small_study();
  for (auto& cell : small.study.cells) {
    if (cell.number >= 3) cell.stages[0].purpose = "score:pseudo_labels@measure";
  }
  record(small);
  for (const StageRecord& stage : small.stages) finish(*store_, stage.key);
  const Table mixed = table();
  EXPECT_EQ(mixed.columns.size(), 4u);
  EXPECT_TRUE(mixed.columns[0].name_purpose) << "the same words, two purposes";
  EXPECT_FALSE(mixed.rows[0].places[2].number);
  EXPECT_THAT(mixed.rows[0].places[2].missing, IsEmpty());
  EXPECT_THAT(text(), HasSubstr("–"));
  EXPECT_THAT(text(), HasSubstr("score:pseudo_labels@measure"));
}

TEST_F(SeedsTable, ConditionalAxesLeaveDashes) {
  SmallStudy small = small_study();
  for (auto& cell : small.study.cells) {
    if (cell.number == 3) cell.levels.erase(cell.levels.begin() + 1);
  }
  record(small);
  EXPECT_THAT(text(), HasSubstr("GRID    –"));
  EXPECT_EQ(Json::parse(rendered(table(), Format::json))["rows"][2]["labels"]["pamr"], nullptr);
}

TEST_F(SeedsTable, StudyWithoutAxesHasPoints) {
  SmallStudy small = small_study();
  small.study.axes.clear();
  small.study.cells.resize(3);
  for (auto& cell : small.study.cells) cell.levels.clear();
  record(small);
  finish_all_but(small, {});
  EXPECT_THAT(text(), HasSubstr("point"));
  EXPECT_EQ(table().rows.size(), 1u);
  EXPECT_THAT(rendered(table(), Format::csv), HasSubstr("point,images_limit,"));
}

TEST_F(SeedsTable, TrialsAreMarkedAndNeverMixed) {
  fill(*store_);
  SmallStudy trial = small_study();
  trial.study.images_limit = 20;
  trial.study.plan_digest = "plan-2";
  record(trial);
  EXPECT_THAT(text(), HasSubstr("A trial on the first 20 images of each role"));
  EXPECT_EQ(table().rows.size(), 4u);
  TableOptions both;
  both.every_limit = true;
  const Table mixed = table(both);
  ASSERT_EQ(mixed.rows.size(), 8u);
  EXPECT_EQ(mixed.rows[0].images_limit, 20);
  EXPECT_EQ(mixed.rows[4].images_limit, 0);
  EXPECT_EQ(mixed.rows[1].places[0].number->rank, 1);
  EXPECT_EQ(mixed.rows[5].places[0].number->rank, 1) << "the best of its own kind";
  EXPECT_THAT(text(both), AllOf(HasSubstr("first 20"), HasSubstr("all")));
  record(small_study());
  EXPECT_THAT(text(), Not(HasSubstr("trial"))) << "the full run came last";
}

TEST_F(SeedsTable, ChosenThresholdsShowTheirRange) {
  const SmallStudy small = small_study();
  record(small);
  for (const StageRecord& stage : small.stages) {
    StageResult result = store::test::done_result(stage.key, store_->begin_attempt(stage.key, 1, ""));
    for (auto& metric : result.metrics) {
      if (metric.rule == "fixed") {
        metric.rule = "chosen";
        metric.rule_value = stage.key == "score-cam-1" ? 0.25 : 0.27;
      }
    }
    store_->take_result(result);
  }
  EXPECT_THAT(text(), AllOf(HasSubstr("(chosen) [%]"), HasSubstr("36.00 ± 1.00 (3) @ 0.25–0.27"),
                            HasSubstr("25.00 (1) @ 0.27")));
}

TEST_F(SeedsTable, UnsteadyStagesAreMarked) {
  fill(*store_);
  StageResult again = store::test::done_result("score-grid", store_->begin_attempt("score-grid", 1, ""));
  again.metrics[1].value += 0.01;
  store_->take_result(again);
  EXPECT_TRUE(table().rows[2].places[0].number->nondeterministic);
  EXPECT_THAT(text(), HasSubstr("gave another result"));
}

TEST_F(SeedsTable, FoldedPointsAndExclusionsAreNoted) {
  SmallStudy small = small_study();
  small.study.cells[0].folded = {{{"method", "CAM"}, {"pamr", "never"}}};
  small.study.exclusions =
      Json::parse(R"([{"levels": {"method": "CAM", "pamr": "maybe"}, "reason": "never published"}])");
  record(small);
  EXPECT_THAT(text(), HasSubstr("stands for method=CAM, pamr=never too"));
  EXPECT_THAT(text(), HasSubstr("Left out: method=CAM, pamr=maybe: never published."));
}

TEST_F(SeedsTable, SeveralEnvironmentsAreNoted) {
  fill(*store_);
  EXPECT_THAT(text(), Not(HasSubstr("different environments")));
  StageResult again = store::test::done_result("score-grid", store_->begin_attempt("score-grid", 1, ""));
  again.environment["threads"] = 4;
  store_->take_result(again);
  EXPECT_THAT(text(), HasSubstr("ran in 2 different environments"));
}

TEST_F(SeedsTable, MasksInTrainingAreMarkedApartFromOracles) {
  const SmallStudy small = small_study();
  record(small);
  for (const StageRecord& stage : small.stages) {
    StageResult result = store::test::done_result(stage.key, store_->begin_attempt(stage.key, 1, ""));
    if (stage.type == protocol::StageType::fit) result.ledger.push_back({"masks", "train", "train", 30, 30});
    store_->take_result(result);
  }
  const std::string printed = text();
  EXPECT_THAT(printed, HasSubstr("oracle: masks reached training"));
  EXPECT_THAT(printed, HasSubstr("oracle: its value is the best on the scored masks"));
  EXPECT_THAT(printed, HasSubstr("†"));
  EXPECT_THAT(printed, HasSubstr("‡"));
  EXPECT_THAT(printed, HasSubstr("trained on: image_labels (train), masks (train)"));
}

TEST_F(SeedsTable, SmallerIsBetterForTimesAndLosses) {
  TableColumn column;
  column.metric = "miou_union";
  EXPECT_FALSE(column.lower_is_better());
  column.unit = "s";
  EXPECT_TRUE(column.lower_is_better());
  EXPECT_EQ(column.heading(), "miou_union [s]");
  column.unit = "1";
  column.metric = "loss";
  EXPECT_TRUE(column.lower_is_better());
  for (const char* metric : {"expected_calibration_error", "ece_15", "deletion_100_blur_probability"}) {
    column.metric = metric;
    EXPECT_TRUE(column.lower_is_better()) << metric;
  }
  column.metric = "insertion_100_blur_probability";
  EXPECT_FALSE(column.lower_is_better());
}

TEST_F(SeedsTable, EqualNumbersShareARank) {
  const SmallStudy small = small_study();
  record(small);
  for (const StageRecord& stage : small.stages) {
    StageResult result = store::test::done_result(stage.key, store_->begin_attempt(stage.key, 1, ""));
    for (auto& metric : result.metrics) metric.value = stage.key == "score-grid" ? 0.25 : 0.5;
    store_->take_result(result);
  }
  const Table equal = table();
  EXPECT_EQ(equal.rows[0].places[0].number->rank, 1);
  EXPECT_EQ(equal.rows[3].places[0].number->rank, 1);
  EXPECT_EQ(equal.rows[2].places[0].number->rank, 2);
}

}  // namespace
}  // namespace seedbed::report::test
