#include "store/journal_mode.hpp"

#include <gtest/gtest.h>
#include <sys/statfs.h>

#include "small_study.hpp"

namespace seedbed::store::test {
namespace {

TEST(JournalMode, NetworkFileSystemsAreKnown) {
  for (const unsigned long type : {0x6969ul, 0xFF534D42ul, 0xFE534D42ul, 0x0BD00BD0ul, 0x65735546ul, 0x00C36400ul}) {
    EXPECT_TRUE(is_network_file_system(type)) << std::hex << type;
  }
  EXPECT_TRUE(is_network_file_system(0xFFFFFFFFFF534D42ul)) << "sign-extended";
  for (const unsigned long type : {0xEF53ul /* ext4 */, 0x58465342ul /* XFS */, 0x9123683Eul /* Btrfs */,
                                   0x01021994ul /* tmpfs */, 0x794C7630ul /* overlay */}) {
    EXPECT_FALSE(is_network_file_system(type)) << std::hex << type;
  }
}

TEST(JournalMode, FollowsTheFolder) {
  const TemporaryFolder folder;
  struct statfs facts {};
  ASSERT_EQ(::statfs(folder.path().c_str(), &facts), 0);
  const bool network = is_network_file_system(static_cast<unsigned long>(facts.f_type));
  EXPECT_EQ(journal_mode_for(folder.path()), network ? "delete" : "wal");
  EXPECT_EQ(std::filesystem::exists(folder.file().string() + "-wal"), false);
  const auto store = Store::open(folder.file(), Access::write);
  fill(*store);
  EXPECT_EQ(std::filesystem::exists(folder.file().string() + "-wal"), !network);
}

TEST(JournalMode, UnknownFolderGetsTheSaferOne) { EXPECT_EQ(journal_mode_for("/no/such/folder"), "delete"); }

}  // namespace
}  // namespace seedbed::store::test
