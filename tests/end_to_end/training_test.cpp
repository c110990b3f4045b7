// Fits through the programs: killed and resumed, validated, with broken images; streams that lose a member.
#include <chrono>
#include <csignal>
#include <thread>

#include <gtest/gtest.h>

#include "image_files.hpp"
#include "program_run.hpp"
#include "small_study.hpp"

namespace seedbed::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

const std::string kArtefacts =
    "SELECT s.key, f.name, f.digest FROM artefacts f JOIN attempts a ON a.id = f.attempt_id "
    "JOIN stages s ON s.id = a.stage_id WHERE a.state = 'done' ORDER BY 1, 2";
const std::string kNumbers =
    "SELECT s.key, m.name, m.class_name, m.target, m.rule, printf('%.17g', m.value) "
    "FROM metrics m JOIN attempts a ON a.id = m.attempt_id JOIN stages s ON s.id = a.stage_id ORDER BY 1, 2, 3, 4, 5";
const std::string kPoints =
    "SELECT s.key, c.name, c.target, p.position, printf('%.17g', p.x), printf('%.17g', p.y) FROM curve_points p "
    "JOIN curves c ON c.id = p.curve_id JOIN attempts a ON a.id = c.attempt_id JOIN stages s ON s.id = a.stage_id "
    "ORDER BY 1, 2, 3, 4";
const std::string kLedger =
    "SELECT s.key, l.kind, l.role, l.purpose, l.images, l.opens FROM ledger l JOIN attempts a ON a.id = l.attempt_id "
    "JOIN stages s ON s.id = a.stage_id ORDER BY 1, 2, 3, 4";

// One fit that holds all that a fit can hold: teacher, two optimisers, map stores, a slot, epoch ends, a best state.
std::string learner_study() {
  return on_small_scenes("train = \"0..24\", measure = \"0..6\", select = \"24..30\"") + R"(
[study]
name = "learner"
[backbone]
method = "small_cnn"
width = 8
norm = "batch"
[seed_generator]
method = "fixture.learner"
uses.label_refiner = { method = "pamr", iterations = 1, dilations = [1] }
[seed_generator.train]
epochs = 40
batch_size = 4
accumulate = 2
learning_rate = 0.01
ema_decay = 0.9
ema_warmup = true
checkpoint = "best"
checkpoint_every = 4
augment = ["flip"]
optimisers.adversary = { optimiser = "adam", learning_rate = 0.002 }
validate = { on = "select", every = 20 }
[score]
targets = ["image_labels", "seeds"]
roles = ["measure"]
)";
}

// Labels that change while a segmenter learns: they lie in the fit's stores, and so do the courses that they change by.
// Nothing is sure enough to change a label at a confidence of 1.
std::string correcting_study() {
  return on_small_scenes("train = \"0..24\", test = \"24..30\"") + R"(
[study]
name = "correcting"
[backbone]
method = "small_cnn"
width = 8
[segmenter]
labels = "masks"
head = { method = "linear" }
[segmenter.strategy]
method = "adele"
new_learning_rate_factor = 1.0
record_every = 1
relative_change = 0.0
correction_confidence = 0.3
refine_from_epoch = 2
uses.label_refiner = { method = "pamr", iterations = 1, dilations = [1] }
[segmenter.train]
epochs = 30
batch_size = 4
learning_rate = 0.5
checkpoint_every = 72
augment = ["flip"]
[score]
targets = ["predictions"]
roles = ["test"]
)";
}

class Training : public ::testing::Test {
 protected:
  std::vector<std::string> arguments(const std::string& store, std::vector<std::string> more = {}) const {
    std::vector<std::string> all{"run",
                                 "study.toml",
                                 "--store",
                                 store,
                                 "--quiet",
                                 "--plugin-path",
                                 std::string(SEEDBED_FIXTURE_FOLDER) + "/seedbed_fixture_training.so",
                                 "--plugin-path",
                                 std::string(SEEDBED_FIXTURE_FOLDER) + "/seedbed_fixture_misbehaving.so"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  ProgramEnd run(const std::string& store, std::vector<std::string> more = {}) const {
    return seedbed(arguments(store, std::move(more)), folder_.path());
  }

  void complete(const std::string& store, std::vector<std::string> more = {}) const {
    const ProgramEnd end = run(store, std::move(more));
    ASSERT_EQ(end.status, 0) << end.out << end.err;
  }

  std::vector<std::vector<std::string>> ask(const std::string& store, const std::string& statement) const {
    return sql(folder_.path() / store, statement);
  }

  // Waits until a fit has left a point to go on from.
  bool has_resume_point(const std::string& store) const {
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path() / (store + ".artefacts"), error)) {
      if (entry.path().filename() == "resume.safetensors") return true;
    }
    return false;
  }

  // kill -9 of the worker, then of the supervisor, both in the middle of the study's only long fit.
  void kill_fit_twice(const std::string& store) const {
    for (const bool supervisor : {false, true}) {
      RunningProgram program(seedbed_program(), arguments(store), folder_.path());
      std::vector<pid_t> workers;
      for (int tries = 0; tries < 3000 && !program.is_over() && !(has_resume_point(store) && !workers.empty());
           ++tries) {
        std::this_thread::sleep_for(milliseconds(10));
        workers = children_of(program.pid());
      }
      ASSERT_FALSE(program.is_over()) << "the fit was over before it could be killed";
      std::this_thread::sleep_for(milliseconds(supervisor ? 900 : 300));
      if (supervisor) {
        program.signal(SIGKILL);
      } else {
        ::kill(workers.front(), SIGKILL);
      }
      EXPECT_NE(program.wait().status, 0);
      for (int tries = 0; tries < 200 && ::kill(workers.front(), 0) == 0; ++tries)
        std::this_thread::sleep_for(milliseconds(20));
    }
  }

  // Of the study's only fit, once it is done; -1 where it began anew.
  int step_resumed_from(const std::string& store) const {
    EXPECT_FALSE(has_resume_point(store));
    const auto resumed = ask(store,
                             "SELECT json_extract(facts_json, '$.resumed_from_step') FROM attempts a "
                             "JOIN stages s ON s.id = a.stage_id WHERE s.type = 'fit' AND a.state = 'done'");
    EXPECT_EQ(resumed.size(), 1u);
    return resumed.empty() || resumed[0][0].empty() ? -1 : std::stoi(resumed[0][0]);
  }

  void expect_like_undisturbed(const std::string& store) const {
    complete("undisturbed.db");
    const auto artefacts = ask(store, kArtefacts);
    EXPECT_FALSE(artefacts.empty());
    EXPECT_EQ(artefacts, ask("undisturbed.db", kArtefacts));
    EXPECT_EQ(ask(store, kNumbers), ask("undisturbed.db", kNumbers));
    EXPECT_EQ(ask(store, kPoints), ask("undisturbed.db", kPoints));
    EXPECT_EQ(ask(store, kLedger), ask("undisturbed.db", kLedger));
  }

  const ScratchFolder folder_;
};

TEST_F(Training, AFitKilledInTheMiddleEndsBitEqual) {
  folder_.write("study.toml", learner_study());
  kill_fit_twice("a.db");
  complete("a.db");
  EXPECT_GE(step_resumed_from("a.db"), 4);
  expect_like_undisturbed("a.db");
}

TEST_F(Training, AFitThatCorrectsItsLabelsEndsBitEqualToo) {
  folder_.write("study.toml", correcting_study());
  kill_fit_twice("a.db");
  complete("a.db");
  EXPECT_GE(step_resumed_from("a.db"), 72) << "labels are corrected from step 60 on, the end of the tenth epoch";
  expect_like_undisturbed("a.db");
  // Labels were changed, or the stores would not matter.
  complete("kept.db", {"--set", "segmenter.strategy.correction_confidence=1.0"});
  const std::string losses =
      "SELECT printf('%.17g', p.y) FROM curve_points p JOIN curves c ON c.id = p.curve_id "
      "WHERE c.name = 'loss.cross_entropy' ORDER BY p.position";
  EXPECT_FALSE(ask("a.db", losses).empty());
  EXPECT_NE(ask("a.db", losses), ask("kept.db", losses));
}

TEST_F(Training, ASlotIsInTheKeyAndInTheRow) {
  folder_.write("study.toml", learner_study());
  const std::vector<std::string> quick{"--set", "seed_generator.train={epochs=1, batch_size=8}"};
  complete("a.db", quick);
  std::vector<std::string> other = quick;
  other.insert(other.end(), {"--set", "seed_generator.uses.label_refiner.iterations=2"});
  complete("a.db", other);
  const auto slots =
      ask("a.db",
          "SELECT s.key, p.method, json_extract(p.parameters_json, '$.iterations') FROM stage_plugins p "
          "JOIN stages s ON s.id = p.stage_id WHERE s.type = 'fit' AND p.slot = 'generator.label_refiner' ORDER BY 3");
  ASSERT_EQ(slots.size(), 2u);
  EXPECT_NE(slots[0][0], slots[1][0]) << "another setting of the slot is another fit";
  EXPECT_EQ(slots[0][1], "pamr");
  EXPECT_EQ(slots[1][2], "2");
  EXPECT_EQ(ask("a.db", "SELECT count(*) FROM curves WHERE name = 'loss.refined'")[0][0], "2");
}

TEST_F(Training, ACheckpointChosenOnARoleMarksItsNumbers) {
  folder_.write("study.toml", small_study());
  complete("a.db", {"--images", "12", "--set", "study.random_seeds=[0]", "--set", "segmenter.enabled=false", "--set",
                    "seed_generator.train.validate={on=\"select\", metric=\"miou_union\"}", "--set",
                    "seed_generator.train.checkpoint=best", "--set", "score.roles=[\"measure\", \"select\"]", "--set",
                    "pseudo_label.background={rule=\"threshold\", value=0.3}"});
  EXPECT_EQ(
      ask("a.db", "SELECT DISTINCT kind FROM ledger WHERE purpose = 'choose' AND role = 'select' ORDER BY 1").size(),
      3u);
  EXPECT_EQ(
      ask("a.db",
          "SELECT count(*) FROM metrics WHERE target = 'validation' AND name = 'miou_union' AND rule = 'chosen'")[0][0],
      "1");
  EXPECT_EQ(ask("a.db", "SELECT DISTINCT oracle_reason FROM v_metrics WHERE rule = 'fixed' AND role = 'select'")[0][0],
            "its checkpoint was chosen on the scored role");
  EXPECT_EQ(ask("a.db", "SELECT max(oracle) FROM v_metrics WHERE rule = 'fixed' AND role = 'measure'")[0][0], "0");
}

// Eight images of which one is cut off in the middle.
void write_folder(const ScratchFolder& folder, const std::string& broken) {
  std::string list, labels = "id,labels\n";
  for (int i = 0; i < 8; ++i) {
    const std::string id = "image" + std::to_string(i);
    std::string bytes = jpeg_bytes(32 + i, 40, 3);
    if (id == broken) bytes.resize(bytes.size() / 2);
    folder.write("data/images/" + id + ".jpg", bytes);
    list += id + "\n";
    labels += id + "," + (i % 2 == 0 ? "thing" : "other") + "\n";
  }
  folder.write("data/lists/train.txt", list);
  folder.write("data/lists/test.txt", "image0\nimage1\n");
  folder.write("data/labels.csv", labels);
  folder.write("study.toml", R"(schema = 1
[execution]
threads = 1
[dataset]
kind = "folder"
root = "data"
labels = "labels.csv"
class_names = ["thing", "other"]
roles = { train = "train", test = "test" }
[backbone]
method = "small_cnn"
width = 8
[seed_generator]
method = "cam"
train = { epochs = 2, batch_size = 4, input = "square:32" }
[score]
targets = ["image_labels"]
roles = ["test"]
)");
}

TEST_F(Training, ABrokenImageFailsTheFitUnlessItIsSkipped) {
  write_folder(folder_, "image5");
  const ProgramEnd failed = run("a.db");
  EXPECT_EQ(failed.status, 3) << failed.out << failed.err;
  const auto rows =
      ask("a.db",
          "SELECT a.state, a.cause, a.message FROM attempts a JOIN stages s ON s.id = a.stage_id WHERE s.type = 'fit'");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0][0], "failed");
  EXPECT_EQ(rows[0][1], "user_error");
  EXPECT_NE(rows[0][2].find("image5.jpg"), std::string::npos) << rows[0][2];
  complete("a.db", {"--set", "seed_generator.train.on_broken_image=skip"});
  EXPECT_EQ(ask("a.db",
                "SELECT json_extract(facts_json, '$.images_broken') FROM attempts a JOIN stages s ON s.id = a.stage_id "
                "WHERE s.type = 'fit' AND a.state = 'done'")[0][0],
            "[\"image5\"]");
}

// Seeds stream to their own scores and, through a refiner that fails for a while, to those of the pseudo labels.
TEST_F(Training, WhatAFailedMemberTakesDownIsSkippedAndRepeated) {
  const fs::path obstacle = folder_.write("obstacle", "");
  folder_.write("study.toml", on_small_scenes("train = \"0..8\", test = \"0..4\"") + R"(
[backbone]
method = "small_cnn"
width = 8
[seed_generator]
method = "cam"
train = { epochs = 1, batch_size = 4 }
[[refiner]]
name = "trap"
method = "fixture.throws_while"
file = ")" + obstacle.string() + R"("
[pseudo_label]
background = { rule = "threshold", value = 0.3 }
[score]
targets = ["seeds", "pseudo_labels"]
roles = ["test"]
)");
  EXPECT_EQ(run("a.db").status, 3);
  // A stage's last attempt is what it is now: node, type, state, cause, message, how many attempts.
  const std::string stages =
      "SELECT s.node, s.type, s.state, a.state AS attempt, a.cause, a.message, count(*) FROM stages s "
      "JOIN attempts a ON a.stage_id = s.id GROUP BY s.id HAVING a.id = max(a.id) ";
  using Rows = std::vector<std::vector<std::string>>;
  const Rows failed = ask("a.db", stages + "AND s.state = 'failed'");
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0][0], "trap");
  const Rows skipped = ask("a.db", stages + "AND s.state = 'skipped' ORDER BY s.type, a.message");
  const std::string below_trap = "Its input did not come about: `trap`.";
  const std::string below_labels = "Its input did not come about: `pseudo_labels`.";
  EXPECT_EQ(skipped, (Rows{{"pseudo_labels", "map", "skipped", "skipped", "none", below_trap, "1"},
                           {"pseudo_labels", "score", "skipped", "skipped", "none", below_labels, "1"},
                           {"pseudo_labels", "score", "skipped", "skipped", "none", below_trap, "1"}}));
  const Rows done = ask("a.db", stages + "AND s.state = 'done'");
  EXPECT_EQ(done.size(), 5u) << "the fit, the seeds, their labels and their two scores";

  fs::remove(obstacle);
  complete("a.db");
  EXPECT_EQ(ask("a.db", "SELECT count(*) FROM stages WHERE state <> 'done'")[0][0], "0");
  EXPECT_EQ(ask("a.db",
                "SELECT count(*) FROM metrics m JOIN attempts a ON a.id = m.attempt_id WHERE m.target = "
                "'pseudo_labels' AND m.name = 'miou_union' AND m.rule = 'fixed' AND a.state = 'done'")[0][0],
            "1");
  const std::string attempts = "SELECT count(*) FROM attempts GROUP BY stage_id HAVING count(*) ";
  EXPECT_EQ(ask("a.db", attempts + "> 2").size(), 0u);
  EXPECT_GE(ask("a.db", attempts + "= 2").size(), failed.size() + skipped.size());
  EXPECT_EQ(ask("a.db",
                "SELECT count(*) FROM attempts a JOIN stages s ON s.id = a.stage_id WHERE s.type = 'score' "
                "AND s.node = 'seeds'")[0][0],
            "2")
      << "scores that were through are not computed again";
}

// Seeds of 12 images stream to two scores and a refiner that crashes at the ninth.
TEST_F(Training, ACrashInAStreamKeepsWhatWasFinishedAndNamesWhatIsLost) {
  folder_.write("study.toml", on_small_scenes("train = \"0..12\", measure = \"0..4\", test = \"0..12\"") + R"(
[backbone]
method = "small_cnn"
width = 8
[seed_generator]
method = "cam"
train = { epochs = 1, batch_size = 4 }
[[refiner]]
name = "trap"
method = "fixture.crashes_at"
image = "scene-00008"
[pseudo_label]
background = { rule = "threshold", value = 0.3 }
[score]
targets = ["seeds", "pseudo_labels"]
roles = ["measure", "test"]
)");
  EXPECT_EQ(run("a.db").status, 3);
  const std::string attempts =
      "SELECT a.state, a.cause, a.message FROM attempts a JOIN stages s ON s.id = a.stage_id WHERE ";
  const auto crashed = ask("a.db", attempts + "a.state = 'failed'");
  ASSERT_EQ(crashed.size(), 1u);
  EXPECT_EQ(crashed[0][1], "crash");
  EXPECT_NE(crashed[0][2].find("It was at image `scene-00008`."), std::string::npos) << crashed[0][2];
  const auto lost = ask("a.db", attempts + "a.state = 'interrupted'");
  EXPECT_FALSE(lost.empty());
  for (const auto& row : lost) {
    EXPECT_EQ(row[1], "crash");
    EXPECT_NE(row[2].find("Lost with `map trap on test`, which was streamed with it."), std::string::npos) << row[2];
  }
  // The scores of the four first images were through.
  const auto done =
      ask("a.db", "SELECT s.key FROM stages s WHERE s.state = 'done' AND s.type = 'score' AND s.role = 'measure'");
  EXPECT_FALSE(done.empty());
  complete("a.db", {"--set", "refiner.trap.image=none"});
  for (const auto& row : done) {
    EXPECT_EQ(ask("a.db", "SELECT count(*) FROM attempts a JOIN stages s ON s.id = a.stage_id WHERE s.key = '" +
                              row[0] + "'")[0][0],
              "1")
        << "what was finished is not computed again";
  }
  EXPECT_TRUE(
      ask("a.db", "SELECT stage_id FROM attempts WHERE state = 'done' GROUP BY stage_id HAVING count(*) > 1").empty());
}

}  // namespace
}  // namespace seedbed::testing
