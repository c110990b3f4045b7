#include "support/temp_folder.hpp"

#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

namespace seedbed::testing {
namespace {

namespace fs = std::filesystem;

TEST(TempFolder, IsEmptyAndItsOwn) {
  const TempFolder first, second;
  EXPECT_TRUE(fs::is_directory(first.path()));
  EXPECT_TRUE(fs::is_empty(first.path()));
  EXPECT_NE(first.path(), second.path());
}

TEST(TempFolder, VanishesWithItsContent) {
  fs::path file;
  {
    const TempFolder folder;
    file = folder.write("a/b.txt", "two\nlines");
    std::ifstream stream(file);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(stream), {}), "two\nlines");
    EXPECT_EQ(file, folder / "a" / "b.txt");
  }
  EXPECT_FALSE(fs::exists(file.parent_path().parent_path()));
}

}  // namespace
}  // namespace seedbed::testing
