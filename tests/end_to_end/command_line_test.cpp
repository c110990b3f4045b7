#include <algorithm>

#include <gtest/gtest.h>

#include "program_run.hpp"
#include "small_study.hpp"

namespace seedbed::testing {
namespace {

TEST(CommandLine, HelpAndVersionEndWell) {
  const ScratchFolder folder;
  EXPECT_EQ(seedbed({"--help"}, folder.path()).status, 0);
  const ProgramEnd version = seedbed({"--version"}, folder.path());
  EXPECT_EQ(version.status, 0);
  EXPECT_EQ(version.out.rfind("seedbed ", 0), 0u);
}

TEST(CommandLine, ASlipOfTheHandIsStatusTwo) {
  const ScratchFolder folder;
  EXPECT_EQ(seedbed({}, folder.path()).status, 2);
  EXPECT_EQ(seedbed({"rum", "study.toml"}, folder.path()).status, 2);
  EXPECT_EQ(seedbed({"run", "missing.toml"}, folder.path()).status, 2);
  EXPECT_EQ(seedbed({"run", "missing.toml", "--workers", "0"}, folder.path()).status, 2);
  EXPECT_EQ(seedbed({"plugins", "scan", "missing.so"}, folder.path()).status, 2);
  EXPECT_EQ(seedbed({"results", "table", "--store", "missing.db"}, folder.path()).status, 2);
}

TEST(CommandLine, AnUnknownMethodIsAnsweredWithTheNearest) {
  const ScratchFolder folder;
  const ProgramEnd end = seedbed({"plugins", "info", "pmar"}, folder.path());
  EXPECT_EQ(end.status, 2);
  EXPECT_NE(end.err.find("`pamr`"), std::string::npos) << end.err;
}

TEST(CommandLine, PluginsAreListedAndDescribed) {
  const ScratchFolder folder;
  const auto list = seedbed_json({"plugins", "list"}, folder.path());
  std::size_t taken = 0;
  for (const auto& file : list.at("files")) taken += file.at("taken").get<bool>() ? 1 : 0;
  EXPECT_GE(taken, 9u);
  const auto info = seedbed_json({"plugins", "info", "pamr"}, folder.path());
  EXPECT_EQ(info.at("method").at("id"), "pamr");
  const auto scan = seedbed_json({"plugins", "scan", info.at("path").get<std::string>()}, folder.path());
  EXPECT_TRUE(scan.at("taken").get<bool>());
}

TEST(CommandLine, ThePlanShowsCellsStagesAndWhatIsShared) {
  const ScratchFolder folder;
  folder.write("study.toml", small_study());
  const auto plan = seedbed_json({"plan", "study.toml"}, folder.path());
  EXPECT_EQ(plan.at("cells").size(), 4u);
  const auto& stages = plan.at("stages");
  const auto fits = std::count_if(stages.begin(), stages.end(),
                                  [](const auto& stage) { return stage.at("operation") == "seed_generator"; });
  EXPECT_EQ(fits, 2);                                                // one a random seed; the refiner axis shares it
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "results"));  // planning writes nothing
}

TEST(CommandLine, TheDataSetIsDescribedAndChecked) {
  const ScratchFolder folder;
  folder.write("study.toml", small_study());
  const auto info = seedbed_json({"datasets", "info", "study.toml"}, folder.path());
  EXPECT_EQ(info.at("roles").size(), 4u);
  EXPECT_EQ(info.at("side").dump(), R"([{"name":"saliency","kind":"grey"},{"name":"boxes","kind":"labels"}])");
  const auto check = seedbed_json({"datasets", "check", "study.toml"}, folder.path());
  EXPECT_TRUE(check.at("problems").empty());
}

TEST(CommandLine, TheDoctorStartsAWorker) {
  const ScratchFolder folder;
  folder.write("study.toml", small_study());
  const auto report = seedbed_json({"doctor", "study.toml"}, folder.path());
  EXPECT_TRUE(report.at("worker").at("starts").get<bool>());
}

TEST(CommandLine, TheDoctorListsAWeightsFileThatIsMissing) {
  const ScratchFolder folder;
  folder.write("study.toml", small_study());
  const auto report =
      seedbed_json({"doctor", "study.toml", "--set", "backbone.weights=\"missing.safetensors\""}, folder.path(), 2);
  ASSERT_EQ(report.at("files").size(), 1u);
  EXPECT_FALSE(report.at("files")[0].at("present").get<bool>());
  EXPECT_NE(report.at("files")[0].at("file").get<std::string>().find("missing.safetensors"), std::string::npos);
}

TEST(CommandLine, ADeviceThatIsNotThereIsRefusedInWords) {
  const ScratchFolder folder;
  folder.write("study.toml", small_study());
  const ProgramEnd end = seedbed({"run", "study.toml", "--set", "execution.device=\"cuda:0\""}, folder.path());
  EXPECT_NE(end.status, 0);
  EXPECT_NE((end.out + end.err).find("cuda:0"), std::string::npos) << end.out << end.err;
}

}  // namespace
}  // namespace seedbed::testing
