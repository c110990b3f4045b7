#include "protocol/artefact_paths.hpp"

#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <unistd.h>

#include "seedbed/error.hpp"

namespace seedbed::protocol {
namespace {

namespace fs = std::filesystem;

class ArtefactPathsTest : public testing::Test {
 protected:
  ArtefactPathsTest() { fs::create_directories(folder_); }
  ~ArtefactPathsTest() override { fs::remove_all(folder_); }

  static std::string text_of(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  const fs::path folder_ = fs::temp_directory_path() / ("seedbed-artefact-paths-" + std::to_string(::getpid()));
};

TEST_F(ArtefactPathsTest, AWriteReplacesTheWholeFileAndLeavesNothingBeside) {
  const fs::path file = folder_ / "deep" / "file";
  write_durably(file, "a longer first text");
  write_durably(file, "second");
  EXPECT_EQ(text_of(file), "second");
  EXPECT_EQ(std::distance(fs::directory_iterator(file.parent_path()), fs::directory_iterator()), 1);
}

TEST_F(ArtefactPathsTest, AFolderThatCannotBeMadeIsTheUsersToMend) {
  write_durably(folder_ / "file", "x");
  EXPECT_THROW(write_durably(folder_ / "file" / "below", "x"), UserError);
}

TEST_F(ArtefactPathsTest, ResultFilesReadBack) {
  StageResult result;
  result.key = std::string(64, 'c');
  result.attempt = 4;
  const fs::path file = write_result_file(folder_, result);
  EXPECT_EQ(read_result_file(file).key, result.key);
}

TEST_F(ArtefactPathsTest, TornMalformedAndForeignResultsAreRefused) {
  std::ofstream(folder_ / "torn.json") << "{\"version\": 1, \"key";
  EXPECT_THROW(read_result_file(folder_ / "torn.json"), UserError);
  std::ofstream(folder_ / "other.json") << "{\"version\": 99}";
  EXPECT_THROW(read_result_file(folder_ / "other.json"), UserError);
  std::ofstream(folder_ / "malformed.json") << "{\"version\": 1, \"key\": 5}";
  EXPECT_THROW(read_result_file(folder_ / "malformed.json"), UserError);
  EXPECT_THROW(read_result_file(folder_ / "missing.json"), UserError);
}

TEST(StageFolder, SplitsTheKey) { EXPECT_EQ(stage_folder("abcdef"), fs::path("ab") / "cdef"); }

}  // namespace
}  // namespace seedbed::protocol
