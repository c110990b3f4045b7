#include <algorithm>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "program_run.hpp"
#include "small_study.hpp"

namespace seedbed::testing {
namespace {

namespace fs = std::filesystem;

// Everything that two runs of one study must agree on.
const std::string kMetrics =
    "SELECT s.key, m.name, m.class_name, m.target, m.rule, printf('%.17g', m.rule_value), printf('%.17g', m.value) "
    "FROM metrics m JOIN attempts a ON a.id = m.attempt_id JOIN stages s ON s.id = a.stage_id "
    "WHERE m.name NOT LIKE '%seconds%' ORDER BY 1, 2, 3, 4, 5";
const std::string kArtefacts =
    "SELECT s.key, f.name, f.digest FROM artefacts f JOIN attempts a ON a.id = f.attempt_id "
    "JOIN stages s ON s.id = a.stage_id ORDER BY 1, 2";

nlohmann::ordered_json run_in(const ScratchFolder& folder, const std::string& store, std::vector<std::string> flags) {
  std::vector<std::string> arguments{"run", "study.toml", "--store", store};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return seedbed_json(arguments, folder.path());
}

/// The whole study, run once by one worker into `a.db`.
struct CompleteRun {
  CompleteRun() {
    folder.write("study.toml", small_study());
    summary = run_in(folder, "a.db", {"--workers", "1"});
  }

  const ScratchFolder folder;
  nlohmann::ordered_json summary;
};

class StudyRun : public ::testing::Test {
 protected:
  StudyRun() { folder_.write("study.toml", small_study()); }

  /// For tests that only read what came out.
  static const CompleteRun& complete() {
    static const CompleteRun run;
    return run;
  }
  static fs::path complete_store() { return complete().folder.path() / "a.db"; }

  /// For tests that write: the store of the complete run in a folder of their own.
  void copy_complete_store() const {
    fs::copy(complete().folder.path(), folder_.path(),
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  }

  nlohmann::ordered_json run(const std::string& store, std::vector<std::string> flags = {}) const {
    return run_in(folder_, store, std::move(flags));
  }

  fs::path store(const std::string& name) const { return folder_.path() / name; }

  const ScratchFolder folder_;
};

TEST_F(StudyRun, FillsTheStoreAndASecondRunStartsNoWorker) {
  EXPECT_GT(complete().summary.at("done").get<int>(), 20);
  EXPECT_TRUE(complete().summary.at("failures").empty());
  const auto second = run_in(complete().folder, "a.db", {});
  EXPECT_EQ(second.at("done"), 0);
  EXPECT_EQ(second.at("workers_started"), 0);
  EXPECT_GT(second.at("reused").get<int>(), 0);
}

TEST_F(StudyRun, EveryTargetOfEveryCellHasItsNumbers) {
  std::set<std::string> targets;
  for (const auto& row :
       sql(complete_store(), "SELECT DISTINCT target FROM metrics WHERE name IN ('miou_union', 'map_macro')")) {
    targets.insert(row[0]);
  }
  for (const char* target : {"image_labels", "seeds", "pseudo_labels"}) EXPECT_TRUE(targets.contains(target)) << target;
  EXPECT_EQ(sql(complete_store(), "SELECT count(*) FROM cells")[0][0], "4");
  EXPECT_EQ(
      sql(complete_store(), "SELECT count(*) FROM metrics WHERE value < 0 OR value > 1 AND name LIKE 'miou%'")[0][0],
      "0");
  // Masks are opened for choosing and scoring, never for training.
  EXPECT_EQ(sql(complete_store(), "SELECT count(*) FROM ledger WHERE kind = 'masks' AND purpose = 'train'")[0][0], "0");
  EXPECT_NE(sql(complete_store(), "SELECT count(*) FROM ledger WHERE kind = 'masks' AND purpose = 'score'")[0][0], "0");
}

TEST_F(StudyRun, TheClassifierIsAskedWhetherItGoesByItsSeeds) {
  const std::vector<std::string> flags{
      "--set", "study.random_seeds=[0]",
      "--set", "score.roles=[\"measure\"]",
      "--set", "score.metrics=[\"insertion_8_blur_probability\", \"deletion_8_grey_logit\"]"};
  copy_complete_store();
  EXPECT_TRUE(run("a.db", flags).at("failures").empty());
  const auto rows = sql(store("a.db"),
                        "SELECT DISTINCT target, metric, unit, n FROM v_seed_means WHERE class_name = '' AND "
                        "(metric LIKE 'insertion%' OR metric LIKE 'deletion%') ORDER BY 1, 2");
  const std::vector<std::vector<std::string>> expected{{"pseudo_labels", "deletion_8_grey_logit", "logit", "1"},
                                                       {"pseudo_labels", "insertion_8_blur_probability", "1", "1"},
                                                       {"seeds", "deletion_8_grey_logit", "logit", "1"},
                                                       {"seeds", "insertion_8_blur_probability", "1", "1"}};
  EXPECT_EQ(rows, expected);
  EXPECT_EQ(sql(store("a.db"),
                "SELECT count(DISTINCT position) FROM v_curves WHERE curve = 'deletion_8_grey_logit' AND "
                "target = 'seeds'")[0][0],
            "9");
  const auto shown = sql(store("a.db"),
                         "SELECT DISTINCT g.kind FROM ledger g JOIN stages s ON s.result_attempt_id = g.attempt_id "
                         "WHERE s.operation = 'causal' ORDER BY 1");
  EXPECT_EQ(shown, (std::vector<std::vector<std::string>>{{"image_labels"}, {"images"}})) << "masks stay closed";
  EXPECT_EQ(run("a.db", flags).at("done"), 0);
}

TEST_F(StudyRun, OneWorkerAndTwoGiveEqualMetricsAndArtefacts) {
  EXPECT_EQ(run("two.db", {"--workers", "2"}).at("workers_started"), 2);
  EXPECT_EQ(complete().summary.at("workers_started"), 1);
  EXPECT_EQ(sql(complete_store(), kMetrics), sql(store("two.db"), kMetrics));
  const auto artefacts = sql(complete_store(), kArtefacts);
  EXPECT_FALSE(artefacts.empty());
  EXPECT_EQ(artefacts, sql(store("two.db"), kArtefacts));
}

TEST_F(StudyRun, FewImagesAreMarkedAndNeverMixedWithAllOfThem) {
  copy_complete_store();
  EXPECT_GT(run("a.db", {"--images", "10"}).at("done").get<int>(), 20) << "nothing of the complete run is taken for it";
  EXPECT_EQ(sql(store("a.db"), "SELECT DISTINCT images_limit FROM studies ORDER BY 1").size(), 2u);
  const auto table = seedbed({"results", "table", "--store", "a.db"}, folder_.path());
  EXPECT_EQ(table.status, 0) << table.err;
}

TEST_F(StudyRun, ALostArtefactIsMadeAgainWhenSomethingNeedsIt) {
  copy_complete_store();
  fs::remove_all(store("a.db.artefacts"));
  // Nothing needs the artefacts while the scores stand.
  EXPECT_EQ(run("a.db").at("done"), 0);
  // Another rule does: fits and maps are made again, and come out as they were.
  const auto again = run("a.db", {"--set", "pseudo_label.background={rule=\"power\", alpha=4}"});
  EXPECT_GT(again.at("done").get<int>(), 0);
  EXPECT_TRUE(again.at("failures").empty());
  EXPECT_EQ(sql(store("a.db"), "SELECT count(*) FROM stages WHERE repeatability NOT IN ('untried', 'equal')")[0][0],
            "0");
}

// The labels that the segmenters were fitted to lie on the disk; a person gets them as PNG files.
TEST_F(StudyRun, LabelsAreExportedAsPngFiles) {
  run("a.db", {"--set", "study.random_seeds=[0]", "--set",
               "pseudo_label.background={rule=\"threshold\", value=0.3, confidence=true}"});
  const std::vector<std::string> command{"results", "export", "labels", "--to",    "out", "--confidence",
                                         "npy",     "--role", "train",  "--store", "a.db"};
  const ProgramEnd several = seedbed(command, folder_.path());
  EXPECT_EQ(several.status, 2) << "with the refiner and without";
  EXPECT_NE(several.err.find("--stage"), std::string::npos) << several.err;
  std::vector<std::string> one = command;
  one.insert(one.end(), {"--stage", sql(store("a.db"),
                                        "SELECT s.key FROM stages s JOIN artefacts a ON a.attempt_id = "
                                        "s.result_attempt_id WHERE a.name = 'labels'")[0][0]});
  const auto exported = seedbed_json(one, folder_.path());
  const auto images = exported.at("images").get<int>();
  EXPECT_GT(images, 10);
  EXPECT_EQ(exported.at("confidences"), images);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path() / "out"), fs::directory_iterator()), 2 * images);
  const auto nothing =
      seedbed({"results", "export", "labels", "--to", "out", "--node", "crf", "--store", "a.db"}, folder_.path());
  EXPECT_EQ(nothing.status, 2);
}

TEST_F(StudyRun, AnAttemptHasALogAndTheStoreIsOneFile) {
  const auto logs = sql(complete_store(), "SELECT DISTINCT log_file FROM attempts");
  EXPECT_FALSE(logs.empty());
  for (const auto& row : logs) EXPECT_TRUE(fs::exists(row[0])) << row[0];
  EXPECT_FALSE(fs::exists(complete_store().string() + "-wal"));
  EXPECT_TRUE(fs::is_empty(complete_store().string() + ".inbox"));
}

TEST_F(StudyRun, TheTableComesInEveryFormat) {
  for (const char* format : {"text", "markdown", "csv", "latex", "json"}) {
    const auto table = seedbed({"results", "table", "--store", complete_store(), "--format", format}, folder_.path());
    EXPECT_EQ(table.status, 0) << format << table.err;
    EXPECT_NE(table.out.find("pamr"), std::string::npos) << format << table.out;
  }
}

}  // namespace
}  // namespace seedbed::testing
