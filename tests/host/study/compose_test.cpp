#include "study/compose.hpp"

#include <cstdlib>

#include <gmock/gmock.h>

#include "seedbed/error.hpp"
#include "study/parse_toml.hpp"
#include "study_fixture.hpp"

namespace seedbed::study {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Table toml(std::string_view text) {
  return parse_text(text, std::make_shared<Source>(Source{"test", "/folder", 0, true}));
}

std::string overlaid(std::string_view base, std::string_view over) {
  Table table = toml(base);
  Findings findings;
  overlay(table, toml(over), findings);
  findings.throw_if_any();
  return to_toml(Node{table, {}});
}

TEST(Overlay, MergesTablesAndReplacesTheRest) {
  EXPECT_EQ(overlaid("a = { x = 1, y = [1, 2] }\nb = 2", "a = { y = [3], z = 4 }"),
            "{ a = { x = 1, y = [3], z = 4 }, b = 2 }");
}

TEST(Overlay, AnotherMethodDropsWhatBelongedToTheOldOne) {
  constexpr std::string_view kBase = "g = { method = 'cam', pooling = 'gmp', train = { epochs = 3 }, keep = 'file' }";
  EXPECT_EQ(overlaid(kBase, "g.method = 'drs'"), R"({ g = { keep = "file", method = "drs" } })");
  EXPECT_EQ(overlaid(kBase, "g = { delta = 0.5, method = 'drs' }"),
            R"({ g = { keep = "file", delta = 0.5, method = "drs" } })");
}

TEST(Overlay, TheSameMethodAgainChangesNothing) {
  EXPECT_EQ(overlaid("g = { method = 'cam', pooling = 'gmp' }", "g.method = 'cam'"),
            R"({ g = { method = "cam", pooling = "gmp" } })");
}

TEST(Overlay, AnotherRuleOrKindDropsTheOldOnesNumbers) {
  EXPECT_EQ(overlaid("p.background = { rule = 'threshold', value = 0.3 }", "p.background = { rule = 'argmax' }"),
            R"({ p = { background = { rule = "argmax" } } })");
  EXPECT_EQ(overlaid("dataset = { kind = 'scenes', height_px = 64 }", "dataset = { kind = 'voc', root = 'r' }"),
            R"({ dataset = { kind = "voc", root = "r" } })");
}

TEST(Overlay, OfTwoKeysThatExcludeEachOtherTheUpperStays) {
  EXPECT_EQ(overlaid("train = { epochs = 3, momentum = 0.5 }", "train.steps = 100"),
            "{ train = { momentum = 0.5, steps = 100 } }");
  EXPECT_EQ(overlaid("p.background = { rule = 'threshold', choose = { on = 'select' } }", "p.background.value = 0.3"),
            R"({ p = { background = { rule = "threshold", value = 0.3 } } })");
  EXPECT_EQ(overlaid("g = { value = 1 }", "g.choose = 2"), "{ g = { value = 1, choose = 2 } }") << "no rule";
}

TEST(Overlay, AddressesMembersOfArraysByName) {
  EXPECT_EQ(overlaid("refiner = [{ name = 'crf', iterations = 10 }, { method = 'pamr' }]",
                     "refiner = { crf = { iterations = 5 }, pamr = { enabled = false } }"),
            R"({ refiner = [{ name = "crf", iterations = 5 }, { method = "pamr", enabled = false }] })");
}

TEST(Overlay, MergesRefinersByNameAndReplacesOtherLists) {
  EXPECT_EQ(overlaid("refiner = [{ name = 'crf', iterations = 10 }]",
                     "refiner = [{ name = 'crf', width = 3 }, { name = 'b' }]"),
            R"({ refiner = [{ name = "crf", iterations = 10, width = 3 }, { name = "b" }] })");
  EXPECT_EQ(overlaid("loss = [{ name = 'a' }]", "loss = [{ name = 'b' }]"), R"({ loss = [{ name = "b" }] })");
}

TEST(Environment, IsExpandedInBraces) {
  ::setenv("SEEDBED_TEST_FOLDER", "/data", 1);
  EXPECT_EQ(expand_environment("${SEEDBED_TEST_FOLDER}/a${SEEDBED_TEST_FOLDER}$x", {}), "/data/a/data$x");
  EXPECT_THROW(expand_environment("${SEEDBED_TEST_NO_SUCH}", {}), UserError);
  EXPECT_THROW(expand_environment("${SEEDBED_TEST_FOLDER", {}), UserError);
}

TEST(Assignment, ReadsTomlAndBareWords) {
  EXPECT_EQ(to_toml(Node{parse_assignment("a.b=[1, 2]", 0), {}}), "{ a = { b = [1, 2] } }");
  EXPECT_EQ(to_toml(Node{parse_assignment("a.method=drs", 0), {}}), R"({ a = { method = "drs" } })");
  EXPECT_EQ(to_toml(Node{parse_assignment("a=true", 0), {}}), "{ a = true }");
  EXPECT_EQ(to_toml(Node{parse_assignment("w=/data/w.pth", 0), {}}), R"({ w = "/data/w.pth" })");
  for (const char* wrong : {"a", "=1", "a=", "a=[1", "a.=1", "#a=1", "a=1\nb=2", "[a]=1"}) {
    EXPECT_THROW(parse_assignment(wrong, 0), UserError) << wrong;
  }
}

TEST(Toml, IsWrittenAsItIsRead) {
  constexpr std::string_view kText =
      "a = [1, 2.5, \"x\\\"y\"]\n\n[t]\nb = { c = true }\n\n[[l]]\nd = 1\n\n[[l]]\nd = 2\n";
  EXPECT_EQ(to_toml_document(toml(kText)), kText);
}

TEST(Toml, TooDeepOrTooLongIsRefused) {
  std::string deep = "a";
  for (int i = 0; i < 100'000; ++i) deep += ".a";
  EXPECT_THROW(toml(deep + " = 1"), UserError);
  EXPECT_THROW(toml("a = " + std::string(100'000, '[')), UserError);
}

class Extends : public StudyTest {};

TEST_F(Extends, GoesThroughAChainRelativeToEachFile) {
  folder_.write("presets/deep/a.toml", "[seed_generator.train]\nepochs = 1\nbatch_size = 2\nmomentum = 0.1\n");
  folder_.write("presets/b.toml", "extends = \"deep/a.toml\"\n[seed_generator.train]\nepochs = 3\nbatch_size = 4\n");
  const Study study = read("extends = \"presets/b.toml\"\n" + std::string(kBase) + "train = { epochs = 5 }\n");
  const Json train = study.cells.at(0).resolved.at("seed_generator").at("train");
  EXPECT_EQ(train.at("epochs"), 5);
  EXPECT_EQ(train.at("batch_size"), 4);
  EXPECT_EQ(train.at("momentum"), 0.1);
  EXPECT_THAT(study.resolved_toml, Not(HasSubstr("extends")));
  EXPECT_THAT(study.resolved_toml, HasSubstr("momentum = 0.1"));
}

TEST_F(Extends, TakesAListLaterOverEarlier) {
  folder_.write("a.toml", "seed_generator.pooling = \"gmp\"\nseed_generator.bias = true\n");
  folder_.write("b.toml", "seed_generator.pooling = \"top_k\"\n");
  const Study study = read("extends = [\"a.toml\", \"b.toml\"]\n" + std::string(kBase));
  EXPECT_EQ(study.cells.at(0).resolved.at("seed_generator").at("parameters").at("pooling"), "top_k");
  EXPECT_EQ(study.cells.at(0).resolved.at("seed_generator").at("parameters").at("bias"), true);
}

TEST_F(Extends, PathsStartFromTheFileThatNamesThem) {
  folder_.write("presets/w.safetensors", "");
  folder_.write("presets/b.toml", "[backbone]\nweights = \"w.safetensors\"\n");
  const Study study = read("extends = \"presets/b.toml\"\n" + std::string(kBase));
  EXPECT_EQ(study.cells.at(0).resolved.at("backbone").at("files").at("weights"),
            (folder_ / "presets/w.safetensors").string());
}

TEST_F(Extends, MistakesAreToldWhereTheyStand) {
  folder_.write("b.toml", "[seed_generator]\npoolin = \"gmp\"\n");
  try {
    read("extends = \"b.toml\"\n" + std::string(kBase));
    FAIL();
  } catch (const UserError& error) {
    EXPECT_EQ(error.where(), (folder_ / "b.toml").string() + ":2:1");
  }
}

class Precedence : public StudyTest {
 protected:
  static constexpr std::string_view kGrid = R"(
[[grid]]
[[grid.axis]]
name = "a"
key = "seed_generator.train.batch_size"
values = [64]
)";
};

TEST_F(Precedence, RunsFromTheHostToTheFlag) {
  const auto batch_size = [&](std::string_view text, const std::vector<std::string>& sets = {}) {
    return only_cell(text, sets).at("seed_generator").at("train").at("batch_size").get<int>();
  };
  const std::string preset = "preset = \"linear_probe\"\n";
  const std::string own = "train = { batch_size = 32 }\n";
  EXPECT_EQ(batch_size(""), 16) << "the manifest's default";
  EXPECT_EQ(batch_size(preset), 8) << "the method's preset";
  EXPECT_EQ(batch_size(preset + own), 32) << "the study";
  EXPECT_EQ(batch_size("train = { preset = \"linear_probe\" }\n"), 8) << "a preset's table alone";
  EXPECT_EQ(batch_size(preset + own + std::string(kGrid)), 64) << "a level";
  EXPECT_EQ(batch_size(preset + own + std::string(kGrid), {"seed_generator.train.batch_size=128"}), 128) << "a flag";
}

TEST_F(Precedence, AFlagThatNamesAMethodResetsWhatLevelsSet) {
  const Study study = read_with_base(
      "train = { batch_size = 32 }\n" + std::string(kGrid),
      {"backbone.method=toy.transformer", "seed_generator.method=toy.adapter", "seed_generator.adapt=true"});
  EXPECT_EQ(study.cells.at(0).resolved.at("seed_generator").at("train").at("batch_size"), 16);
  EXPECT_EQ(study.cells.at(0).resolved.at("seed_generator").at("train").at("steps"), 50);
}

TEST_F(Precedence, FlagsReachMembersOfLists) {
  const std::string refiner = "[[refiner]]\nmethod = \"pamr\"\n";
  EXPECT_EQ(only_cell(refiner, {"refiner.pamr.iterations=3"}).at("refiners").at(0).at("parameters").at("iterations"),
            3);
  EXPECT_TRUE(only_cell(refiner, {"refiner.pamr.enabled=false"}).at("refiners").empty());
  EXPECT_THAT(errors_of(refiner, {"refiner.crf.iterations=3"}),
              HasSubstr("--set refiner.crf.iterations=3: `refiner` has no member `crf`"));
}

TEST_F(Precedence, FlagsAreKeptWithTheResolvedStudy) {
  const Study study = read_with_base("", {"study.name=other", "execution.threads=3"});
  EXPECT_EQ(study.name, "other");
  EXPECT_EQ(study.execution.at("threads"), 3);
  EXPECT_THAT(study.resolved_toml, HasSubstr("# --set execution.threads=3"));
  EXPECT_THAT(study.resolved_toml, HasSubstr("[execution]\nthreads = 3"));
}

}  // namespace
}  // namespace seedbed::study
