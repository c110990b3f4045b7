#include "support/shared_folder.hpp"

#include <cstdlib>
#include <string>

#include "support/temp_folder.hpp"

namespace seedbed::testing {
namespace {

class SharedFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const char* before = std::getenv("SEEDBED_SHARED")) before_ = before;
  }
  void TearDown() override { before_ ? setenv("SEEDBED_SHARED", before_->c_str(), 1) : unsetenv("SEEDBED_SHARED"); }
  std::optional<std::string> before_;
};

TEST_F(SharedFolder, IsTheOneThatTheEnvironmentNames) {
  const TempFolder folder;
  folder.write("goldens/index.toml", "");
  setenv("SEEDBED_SHARED", folder.path().c_str(), 1);
  EXPECT_EQ(shared_folder(), folder.path());
  EXPECT_EQ(shared_path("goldens/index.toml"), folder.path() / "goldens/index.toml");
  EXPECT_EQ(shared_path("data"), std::nullopt);
}

TEST_F(SharedFolder, IsAbsentWhereTheNameIsWrong) {
  setenv("SEEDBED_SHARED", "/does/not/exist", 1);
  EXPECT_EQ(shared_folder(), std::nullopt);
  EXPECT_EQ(shared_path("goldens"), std::nullopt);
}

}  // namespace
}  // namespace seedbed::testing
