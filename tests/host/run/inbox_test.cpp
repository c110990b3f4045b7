#include "run/inbox.hpp"

#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "protocol/artefact_paths.hpp"
#include "seedbed/error.hpp"

namespace seedbed::run {
namespace {

namespace fs = std::filesystem;

TEST(Inbox, ATornFileIsSeenOnceAndMovedAside) {
  const fs::path folder = fs::temp_directory_path() / ("seedbed-inbox-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  {
    const auto store = store::Store::open(folder / "store.db", store::Access::write);
    fs::create_directories(store->inbox_folder());
    const fs::path file = store->inbox_folder() / "torn.json";
    std::ofstream(file) << "{";
    EXPECT_THROW(take_inbox(*store, nullptr), UserError);
    EXPECT_EQ(take_inbox(*store, nullptr), 0);
    EXPECT_TRUE(fs::exists(file.string() + ".refused"));
  }
  fs::remove_all(folder);
}

TEST(Inbox, AResultOfAnotherStoreIsSeenOnceAndMovedAside) {
  const fs::path folder = fs::temp_directory_path() / ("seedbed-inbox-other-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  {
    const auto store = store::Store::open(folder / "store.db", store::Access::write);
    protocol::StageResult foreign;
    foreign.key = std::string(64, 'f');
    foreign.attempt = 1;
    protocol::write_result_file(store->inbox_folder(), foreign);
    EXPECT_THROW(take_inbox(*store, nullptr), UserError);
    EXPECT_EQ(take_inbox(*store, nullptr), 0);
  }
  fs::remove_all(folder);
}

}  // namespace
}  // namespace seedbed::run
