#include <gtest/gtest.h>

#include "expect_error.hpp"
#include "small_study.hpp"

namespace seedbed::store::test {
namespace {
using testing::HasSubstr;

class RecordStudy : public testing::Test {
 protected:
  RecordStudy() : store_(Store::open(folder_.file(), Access::write)), small_(small_study()) {}

  std::string value(const std::string& sql) {
    const QueryResult found = store_->query(sql);
    return found.rows.empty() ? "no row" : found.rows[0][0].value_or("NULL");
  }
  std::int64_t record() { return store_->record_study(small_.study, small_.stages); }

  TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
  SmallStudy small_;
};

TEST_F(RecordStudy, HoldsCellsLevelsAndStages) {
  record();
  EXPECT_EQ(value("SELECT count(*) FROM cells"), "12");
  EXPECT_EQ(value("SELECT levels FROM cells WHERE point = 2 AND random_seed = 1"), "method=CAM, pamr=true");
  EXPECT_EQ(value("SELECT group_concat(axis || ':' || label) FROM levels JOIN cells ON cells.id = cell_id "
                  "WHERE point = 2 AND random_seed = 1 ORDER BY position"),
            "method:CAM,pamr:true");
  EXPECT_EQ(value("SELECT count(*) FROM stages"), std::to_string(small_.stages.size()));
  EXPECT_EQ(value("SELECT resolved_toml FROM studies"), "schema = 1\n");
  EXPECT_EQ(value("SELECT digest FROM datasets WHERE role = 'measure' AND content = 'image'"), "digest-of-images");
  EXPECT_EQ(value("SELECT random_seed FROM stages WHERE key = 'fit-cam-2'"), "2");
  EXPECT_EQ(value("SELECT random_seed FROM stages WHERE key = 'seeds-grid'"), "NULL");
  EXPECT_EQ(value("SELECT state FROM stages WHERE key = 'seeds-grid'"), "planned");
}

TEST_F(RecordStudy, LineageIsEverythingAStageRestsOn) {
  record();
  EXPECT_EQ(value("SELECT group_concat(a.key) FROM (SELECT d.key FROM lineage l JOIN stages s ON s.id = l.stage_id "
                  "JOIN stages d ON d.id = l.ancestor_id WHERE s.key = 'score-cam-1-refined' ORDER BY d.key) a"),
            "fit-cam-1,refine-cam-1,score-cam-1-refined,seeds-cam-1");
}

TEST_F(RecordStudy, CellsHaveTheStagesTheyRestOn) {
  record();
  EXPECT_EQ(value("SELECT group_concat(p) FROM (SELECT purpose AS p FROM cell_stages JOIN cells ON cells.id = cell_id "
                  "WHERE point = 1 AND random_seed = 0 ORDER BY purpose)"),
            "fit:seeds@train,map:seeds@measure,score:seeds@measure");
}

TEST_F(RecordStudy, MethodsAreHeldWithWhatTheyUse) {
  record();
  EXPECT_EQ(value("SELECT group_concat(x) FROM (SELECT slot || '=' || method AS x FROM stage_plugins JOIN stages ON "
                  "stages.id = stage_id WHERE key = 'seeds-cam-0' ORDER BY slot)"),
            "generator=cam,generator.label_refiner=par");
  EXPECT_EQ(value("SELECT parameters_json FROM stage_plugins JOIN stages ON stages.id = stage_id "
                  "WHERE key = 'fit-cam-0'"),
            "{\"delta\":0.5}");
}

TEST_F(RecordStudy, SamePlanIsTheSameRowAndBecomesTheLatest) {
  const std::int64_t first = record();
  const std::string cell = value("SELECT id FROM cells WHERE point = 3 AND random_seed = 2");
  SmallStudy other = small_study();
  other.study.name = "other";
  EXPECT_NE(store_->record_study(other.study, other.stages), first);
  EXPECT_EQ(value("SELECT study FROM v_studies WHERE latest"), "other");
  EXPECT_EQ(record(), first);
  EXPECT_EQ(value("SELECT study FROM v_studies WHERE latest"), "small");
  EXPECT_EQ(value("SELECT id FROM cells WHERE study_id = 1 AND point = 3 AND random_seed = 2"), cell);
  EXPECT_EQ(value("SELECT count(*) FROM stages"), std::to_string(small_.stages.size())) << "both studies share them";
}

TEST_F(RecordStudy, ChangedPlanAndFewerImagesAreOtherRows) {
  const std::int64_t first = record();
  small_.study.plan_digest = "plan-2";
  const std::int64_t second = record();
  small_.study.images_limit = 10;
  const std::int64_t third = record();
  EXPECT_NE(first, second);
  EXPECT_NE(second, third);
  EXPECT_EQ(value("SELECT count(*) FROM v_studies"), "3");
  EXPECT_EQ(value("SELECT count(DISTINCT images_limit) FROM v_cells"), "2");
}

TEST_F(RecordStudy, SamePlanMayRestOnOtherStages) {
  record();
  finish(*store_, "score-grid");
  for (CellRecord& cell : small_.study.cells) {
    if (cell.stages[0].stage_key == "score-grid") cell.stages[0].stage_key = "score-grid-2";
  }
  StageRecord renewed = small_.stages.back();
  for (const StageRecord& stage : small_.stages) {
    if (stage.key == "score-grid") renewed = stage;
  }
  renewed.key = "score-grid-2";
  small_.stages.push_back(renewed);
  record();
  EXPECT_EQ(value("SELECT count(*) FROM cells"), "12");
  EXPECT_EQ(value("SELECT count(*) FROM v_metrics WHERE levels = 'method=GRID, pamr=false'"), "0");
  EXPECT_EQ(value("SELECT state FROM stages WHERE key = 'score-grid'"), "done") << "what was computed stays";
}

TEST_F(RecordStudy, StageOfAFullRunIsNoTrial) {
  for (StageRecord& stage : small_.stages) stage.images_limit = 10;
  record();
  EXPECT_EQ(value("SELECT min(images_limit) FROM stages"), "10");
  for (StageRecord& stage : small_.stages) stage.images_limit = 0;
  record();
  EXPECT_EQ(value("SELECT max(images_limit) FROM stages"), "0");
}

TEST_F(RecordStudy, FoldedPointsStandBesideTheirOwn) {
  small_.study.cells[0].folded = {{{"method", "CAM"}, {"pamr", "never"}}};
  record();
  EXPECT_EQ(value("SELECT label FROM levels WHERE variant = 1 AND axis = 'pamr'"), "never");
  EXPECT_EQ(value("SELECT levels FROM cells WHERE point = 1 AND random_seed = 0"), "method=CAM, pamr=false");
}

TEST_F(RecordStudy, SkippedStagesArePlannedAgain) {
  record();
  const std::int64_t attempt = store_->begin_attempt("seeds-grid", 0, "");
  store_->end_attempt({"seeds-grid", attempt, protocol::StageState::skipped, protocol::Cause::none, "why", 0});
  EXPECT_EQ(store_->statuses({"seeds-grid"}).at("seeds-grid").state, protocol::StageState::skipped);
  EXPECT_EQ(store_->statuses({"seeds-grid"}).at("seeds-grid").last_message, "why");
  record();
  EXPECT_EQ(store_->statuses({"seeds-grid"}).at("seeds-grid").state, protocol::StageState::planned);
}

TEST_F(RecordStudy, UnknownStagesAreABug) {
  small_.stages[1].inputs.push_back({"chosen", "no-such-stage"});
  EXPECT_THAT(contract_error([&] { record(); }), HasSubstr("no-such-stage"));
  small_ = small_study();
  small_.study.cells[0].stages[0].stage_key = "neither-this";
  EXPECT_THAT(contract_error([&] { record(); }), HasSubstr("neither-this"));
  EXPECT_EQ(value("SELECT count(*) FROM stages"), "0") << "nothing of it is kept";
}

TEST_F(RecordStudy, ValuesOfAWrongTypeAreABug) {
  small_.study.cells[0].number = 0;
  EXPECT_THAT(contract_error([&] { record(); }), HasSubstr("CHECK"));
  small_ = small_study();
  small_.study.name = "";
  EXPECT_THAT(contract_error([&] { record(); }), HasSubstr("CHECK"));
}

TEST_F(RecordStudy, PluginsAreDescribedBeforeOrAfter) {
  store_->record_plugin("digest-of-cam", {{"name", "cam"}, {"version", "1"}, {"source_revision", "abc"}});
  record();
  store_->record_plugin("digest-of-cam", {{"name", "cam"}, {"version", "2"}, {"built", {{"by", "gnu"}}}});
  EXPECT_EQ(value("SELECT version FROM plugins WHERE digest = 'digest-of-cam'"), "2");
  EXPECT_EQ(value("SELECT name FROM plugins WHERE digest = 'digest-of-grid'"), "") << "not described yet";
}

TEST_F(RecordStudy, AttemptsRememberTheirBinaries) {
  record();
  finish(*store_, "seeds-grid");
  for (StageRecord& stage : small_.stages) {
    if (stage.key == "seeds-grid") stage.methods["generator"].library_digest = "rebuilt";
  }
  record();
  EXPECT_EQ(value("SELECT DISTINCT library_digest FROM v_methods WHERE stage_key = 'seeds-grid'"), "digest-of-grid");
  finish(*store_, "seeds-grid");
  EXPECT_EQ(value("SELECT DISTINCT library_digest FROM v_methods WHERE stage_key = 'seeds-grid'"), "rebuilt");
}

}  // namespace
}  // namespace seedbed::store::test
