#include <cmath>

#include <gtest/gtest.h>

#include "expect_error.hpp"
#include "small_study.hpp"

namespace seedbed::store::test {
namespace {
using protocol::Cause;
using protocol::StageResult;
using protocol::StageState;
using protocol::StageType;

class Views : public testing::Test {
 protected:
  Views() : store_(Store::open(folder_.file(), Access::write)) {}

  std::string value(const std::string& sql) {
    const QueryResult found = store_->query(sql);
    return found.rows.empty() ? "no row" : found.rows[0][0].value_or("NULL");
  }
  double number(const std::string& sql) { return std::strtod(value(sql).c_str(), nullptr); }

  // One grid point, one stage a random seed, one number each.
  void record_values(const std::vector<double>& values) {
    StudyRecord study = small_study().study;
    study.cells.clear();
    std::vector<StageRecord> stages;
    for (std::size_t seed = 0; seed < values.size(); ++seed) {
      StageRecord stage;
      stage.key = "score-" + std::to_string(seed);
      stage.type = StageType::score;
      stage.role = "measure";
      stages.push_back(stage);
      CellRecord cell;
      cell.number = 1;
      cell.random_seed = static_cast<std::int64_t>(seed);
      cell.stages = {{stage.key, "score:seeds@measure"}};
      study.cells.push_back(cell);
    }
    store_->record_study(study, stages);
    for (std::size_t seed = 0; seed < values.size(); ++seed) {
      StageResult result;
      result.key = stages[seed].key;
      result.attempt = store_->begin_attempt(result.key, 1, "");
      result.metrics = {{"m", "", values[seed], "1", "seeds", "", {}}};
      store_->take_result(result);
    }
  }

  TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
};

TEST_F(Views, EveryViewOpensOnAnEmptyStore) {
  for (const char* view : {"v_studies", "v_cells", "v_attempts", "v_oracles", "v_metrics", "v_seed_means", "v_pairs",
                           "v_ledger", "v_methods", "v_curves"}) {
    EXPECT_TRUE(store_->query(std::string("SELECT * FROM ") + view).rows.empty()) << view;
  }
}

TEST_F(Views, MeansCountDistinctStages) {
  fill(*store_);
  const std::string cam = " FROM v_seed_means WHERE point = 1 AND metric = 'miou_union' AND rule = 'oracle'";
  EXPECT_EQ(value("SELECT n" + cam), "3");
  EXPECT_NEAR(number("SELECT mean" + cam), 0.41, 1e-15);
  EXPECT_NEAR(number("SELECT spread" + cam), 0.01, 1e-15);
  const std::string grid = " FROM v_seed_means WHERE point = 3 AND metric = 'miou_union' AND rule = 'oracle'";
  EXPECT_EQ(value("SELECT n" + grid), "1") << "a method that draws no numbers has one result, not three";
  EXPECT_EQ(value("SELECT spread" + grid), "NULL");
  EXPECT_EQ(number("SELECT mean" + grid), 0.30);
}

TEST_F(Views, SpreadIsTheSampleStandardDeviation) {
  const std::vector<std::vector<double>> samples{
      {0.1, 0.2, 0.4}, {5, 5, 5}, {1e-9, 2e-9}, {1e12, 3e12, 2e12}, {1e9 + 1, 1e9 + 2, 1e9 + 3},
      {0, 0},          {0.3},     {-1, 1}};
  for (std::size_t i = 0; i < samples.size(); ++i) {
    SCOPED_TRACE(i);
    const TemporaryFolder folder;
    store_ = Store::open(folder.file(), Access::write);
    record_values(samples[i]);
    double mean = 0, squares = 0;
    for (const double x : samples[i]) mean += x / static_cast<double>(samples[i].size());
    for (const double x : samples[i]) squares += (x - mean) * (x - mean);
    EXPECT_DOUBLE_EQ(number("SELECT mean FROM v_seed_means"), mean);
    if (samples[i].size() == 1) {
      EXPECT_EQ(value("SELECT spread FROM v_seed_means"), "NULL");
    } else {
      EXPECT_DOUBLE_EQ(number("SELECT spread FROM v_seed_means"),
                       std::sqrt(squares / static_cast<double>(samples[i].size() - 1)));
    }
    EXPECT_EQ(number("SELECT maximum - minimum FROM v_seed_means"),
              *std::max_element(samples[i].begin(), samples[i].end()) -
                  *std::min_element(samples[i].begin(), samples[i].end()));
    store_.reset();
  }
}

TEST_F(Views, TwoPurposesAreNeverAveraged) {
  SmallStudy small = small_study();
  small.study.cells.resize(1);
  StageRecord second = small.stages[0];
  for (const StageRecord& stage : small.stages) {
    if (stage.key == "score-cam-0") second = stage;
  }
  second.key = "score-cam-9";
  small.stages.push_back(second);
  small.study.cells[0].stages = {{"score-cam-0", "score:predictions.single@measure"},
                                 {"score-cam-9", "score:predictions.multi@measure"}};
  store_->record_study(small.study, small.stages);
  finish(*store_, "score-cam-0");
  finish(*store_, "score-cam-9");
  EXPECT_EQ(value("SELECT count(*) FROM v_seed_means WHERE metric = 'miou_union' AND rule = 'oracle' AND n = 1"), "2");
}

TEST_F(Views, RunsOnFewerImagesAreKeptApart) {
  fill(*store_);
  SmallStudy trial = small_study();
  trial.study.images_limit = 5;
  store_->record_study(trial.study, trial.stages);
  EXPECT_EQ(value("SELECT count(*) FROM v_seed_means WHERE point = 1 AND metric = 'miou_union' AND rule = 'fixed'"),
            "2");
  EXPECT_EQ(value("SELECT max(n) FROM v_seed_means"), "3");
  EXPECT_EQ(value("SELECT count(*) FROM v_pairs WHERE study_id = 2 AND images_limit = 0"), "0");
}

TEST_F(Views, CellStates) {
  const SmallStudy small = small_study();
  store_->record_study(small.study, small.stages);
  const std::string cell = "SELECT state FROM v_cells WHERE point = 2 AND random_seed = 0";
  EXPECT_EQ(value(cell), "planned");
  const std::int64_t attempt = store_->begin_attempt("fit-cam-0", 1, "");
  EXPECT_EQ(value(cell), "running");
  store_->take_result(done_result("fit-cam-0", attempt));
  EXPECT_EQ(value(cell), "planned");
  const std::int64_t lost = store_->begin_attempt("seeds-cam-0", 1, "");
  store_->end_attempt({"seeds-cam-0", lost, StageState::interrupted, Cause::interrupted, "", 0});
  EXPECT_EQ(value(cell), "interrupted");
  const std::int64_t failed = store_->begin_attempt("refine-cam-0", 1, "");
  store_->end_attempt({"refine-cam-0", failed, StageState::failed, Cause::crash, "", 11});
  EXPECT_EQ(value(cell), "failed");
  for (const char* key : {"seeds-cam-0", "refine-cam-0", "score-cam-0-refined"}) finish(*store_, key);
  EXPECT_EQ(value(cell), "done");
  EXPECT_EQ(value("SELECT stages || '/' || done FROM v_cells WHERE point = 2 AND random_seed = 0"), "4/4");
  EXPECT_EQ(number("SELECT seconds FROM v_cells WHERE point = 2 AND random_seed = 0"), 6.0);
}

TEST_F(Views, PairsShareTheRandomSeed) {
  fill(*store_);
  const std::string where = " FROM v_pairs WHERE metric = 'miou_union' AND rule = 'oracle' AND ";
  EXPECT_EQ(value("SELECT count(*)" + where + "point_a = 1 AND point_b = 2"), "3");
  EXPECT_EQ(value("SELECT count(*)" + where + "point_a = 3 AND point_b = 4"), "1") << "one pair of stages";
  EXPECT_EQ(value("SELECT count(*)" + where + "point_a = 1 AND point_b = 3"), "3");
  EXPECT_NEAR(number("SELECT difference" + where + "point_a = 1 AND point_b = 3 AND random_seed = 2"), 0.12, 1e-12);
  EXPECT_EQ(value("SELECT differs_in" + where + "point_a = 1 AND point_b = 2"), "pamr");
  EXPECT_EQ(value("SELECT differs_in" + where + "point_a = 1 AND point_b = 4"), "method, pamr");
}

TEST_F(Views, PairsSeeConditionalAxes) {
  SmallStudy small = small_study();
  for (CellRecord& cell : small.study.cells) {
    if (cell.number >= 3) cell.levels.erase(cell.levels.begin() + 1);
  }
  store_->record_study(small.study, small.stages);
  for (const StageRecord& stage : small.stages) finish(*store_, stage.key);
  EXPECT_EQ(value("SELECT differs_in FROM v_pairs WHERE point_a = 1 AND point_b = 3"), "method, pamr");
}

TEST_F(Views, LedgerTellsWhatACellRestsOn) {
  fill(*store_);
  EXPECT_EQ(value("SELECT group_concat(x, ' ') FROM (SELECT kind || '/' || purpose || '/' || images AS x FROM v_ledger "
                  "WHERE point = 1 AND random_seed = 0 ORDER BY kind, purpose)"),
            "image_labels/infer/40 image_labels/train/30 images/infer/40 masks/score/40 weights:imagenet/train/0");
  EXPECT_EQ(value("SELECT DISTINCT labels_at_inference FROM v_ledger WHERE purpose = 'infer'"), "given");
}

TEST_F(Views, MethodsTellWhatACellRestsOn) {
  fill(*store_);
  EXPECT_EQ(
      value("SELECT group_concat(DISTINCT method) FROM (SELECT method FROM v_methods WHERE point = 2 ORDER BY 1)"),
      "cam,pamr,par");
  EXPECT_EQ(value("SELECT DISTINCT source_revision FROM v_methods"), "abc");
}

TEST_F(Views, BestOnTheScoredMasksIsAnOracle) {
  fill(*store_);
  EXPECT_EQ(value("SELECT count(*) FROM v_metrics WHERE oracle <> (rule = 'oracle')"), "0");
  EXPECT_EQ(value("SELECT DISTINCT oracle_reason FROM v_metrics WHERE rule = 'oracle'"),
            "its value is the best on the scored masks");
}

// A threshold chosen on `role` feeds the score of point 1.
SmallStudy with_choice(const std::string& role) {
  SmallStudy small = small_study();
  StageRecord choose;
  choose.key = "choose-1";
  choose.type = StageType::choose;
  choose.node = "seeds";
  choose.role = role;
  choose.inputs = {{"main", "seeds-cam-0"}};
  small.stages.push_back(choose);
  for (StageRecord& stage : small.stages) {
    if (stage.key == "score-cam-0") stage.inputs.push_back({"chosen", "choose-1"});
  }
  return small;
}

TEST_F(Views, ChoiceOnTheScoredRoleIsAnOracle) {
  for (const std::string role : {"select", "measure"}) {
    const TemporaryFolder folder;
    store_ = Store::open(folder.file(), Access::write);
    const SmallStudy small = with_choice(role);
    store_->record_study(small.study, small.stages);
    finish(*store_, "score-cam-0");
    const std::string fixed =
        " FROM v_metrics WHERE rule = 'fixed' AND stage_key = 'score-cam-0' AND purpose LIKE 'score:%'";
    EXPECT_EQ(value("SELECT oracle" + fixed), role == "measure" ? "1" : "0");
    EXPECT_EQ(value("SELECT oracle_reason" + fixed),
              role == "measure" ? "its value was chosen on the scored role" : "");
    store_.reset();
  }
}

TEST_F(Views, MasksInTrainingMakeAnOracle) {
  const SmallStudy small = small_study();
  store_->record_study(small.study, small.stages);
  StageResult fit = done_result("fit-cam-0", store_->begin_attempt("fit-cam-0", 1, ""));
  fit.ledger.push_back({"masks", "train", "train", 30, 60});
  store_->take_result(fit);
  for (const char* key : {"seeds-cam-0", "score-cam-0", "seeds-grid", "score-grid"}) finish(*store_, key);
  EXPECT_EQ(value("SELECT oracle_reason FROM v_metrics WHERE stage_key = 'score-cam-0' AND rule = 'fixed'"),
            "masks reached training");
  EXPECT_EQ(value("SELECT oracle_reason FROM v_metrics WHERE stage_key = 'score-grid' AND rule = 'fixed'"), "");
  EXPECT_EQ(value("SELECT oracle FROM v_seed_means WHERE point = 1 AND rule = 'fixed'"), "1");
}

TEST_F(Views, ACheckpointChosenOnTheScoredRoleMakesAnOracle) {
  for (const std::string role : {"select", "measure"}) {
    const TemporaryFolder folder;
    store_ = Store::open(folder.file(), Access::write);
    const SmallStudy small = small_study();
    store_->record_study(small.study, small.stages);
    StageResult fit = done_result("fit-cam-0", store_->begin_attempt("fit-cam-0", 1, ""));
    fit.ledger.push_back({"masks", role, "choose", 30, 60});
    fit.ledger.push_back({"image_labels", "measure", "validate", 30, 60});
    store_->take_result(fit);
    for (const char* key : {"seeds-cam-0", "score-cam-0"}) finish(*store_, key);
    EXPECT_EQ(value("SELECT DISTINCT oracle_reason FROM v_metrics WHERE stage_key = 'score-cam-0' AND rule = 'fixed'"),
              role == "measure" ? "its checkpoint was chosen on the scored role" : "");
    store_.reset();
  }
}

TEST_F(Views, RolesWithEqualImagesShareAStageAndKeepTheirNames) {
  SmallStudy small = small_study();
  small.study.cells.resize(1);
  small.study.cells[0].stages = {{"score-cam-0", "score:seeds@measure"}, {"score-cam-0", "score:seeds@test"}};
  store_->record_study(small.study, small.stages);
  finish(*store_, "score-cam-0");
  EXPECT_EQ(value("SELECT group_concat(DISTINCT role) FROM (SELECT role FROM v_metrics ORDER BY role)"),
            "measure,test");
}

}  // namespace
}  // namespace seedbed::store::test
