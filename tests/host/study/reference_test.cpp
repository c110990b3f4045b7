#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "study/host_tables.hpp"
#include "study/key_reference.hpp"
#include "study_fixture.hpp"
#include "support/shared_folder.hpp"

namespace seedbed::study {
namespace {

namespace fs = std::filesystem;

const fs::path kExperiments = SEEDBED_EXPERIMENTS;

// experiments/README.md ends with the reference; SEEDBED_APPROVE=1 writes it anew.
TEST(KeyReference, IsWhatTheReadmeSays) {
  constexpr std::string_view kHeading = "## Every key\n\n";
  std::ifstream stream(kExperiments / "README.md");
  std::string readme{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  const std::size_t at = readme.find(kHeading);
  ASSERT_NE(at, std::string::npos);
  const std::size_t start = at + kHeading.size();
  if (std::getenv("SEEDBED_APPROVE")) {
    readme = readme.substr(0, start) + key_reference();
    std::ofstream(kExperiments / "README.md") << readme;
  }
  EXPECT_EQ(readme.substr(start), key_reference());
}

TEST(HostTables, HaveLegalDefaultsAndSentences) {
  for (const HostTable& table : host_tables()) {
    EXPECT_FALSE(table.summary.empty()) << table.name;
    for (const ParameterSpec& spec : table.keys) {
      SCOPED_TRACE(table.name + "." + spec.name);
      EXPECT_TRUE(spec.summary.ends_with(".")) << spec.summary;
      const bool stands_for_absence = to_toml(spec.default_value) == "\"\"" || spec.name == "steps";
      EXPECT_TRUE(stands_for_absence || !why_illegal(spec, spec.default_value));
    }
  }
}

// Every experiment in the tree is a study that reads.
TEST(Experiments, Read) {
  const auto shared = seedbed::testing::shared_folder();
  if (shared) ::setenv("SEEDBED_SHARED", shared->c_str(), 1);
  for (const auto& entry : fs::directory_iterator(kExperiments)) {
    if (entry.path().extension() != ".toml") continue;
    const bool needs_shared = entry.path().filename() != "quickstart.toml";
    if (needs_shared && !shared) continue;
    SCOPED_TRACE(entry.path());
    EXPECT_NO_THROW(read_study(entry.path(), test_catalogue(), {}));
  }
}

// A preset is a part of a study: with a generator on top it reads.
TEST_F(StudyTest, PresetsOfExperimentsRead) {
  for (const auto& entry : fs::directory_iterator(kExperiments / "presets")) {
    SCOPED_TRACE(entry.path());
    EXPECT_NO_THROW(
        read("schema = 1\nextends = \"" + entry.path().string() + "\"\n[seed_generator]\nmethod = \"cam\"\n"));
  }
}

}  // namespace
}  // namespace seedbed::study
