#include "store/writer_lock.hpp"

#include <fstream>
#include <optional>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "expect_error.hpp"
#include "small_study.hpp"

namespace seedbed::store::test {
namespace {
namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

std::string lock_error(const fs::path& file) {
  return user_error([&] { const WriterLock lock(file); });
}

TEST(WriterLock, IsExclusiveAndNamesItsHolder) {
  const TemporaryFolder folder;
  std::optional<WriterLock> lock(std::in_place, folder.file());
  EXPECT_THAT(lock_error(folder.file()),
              AllOf(HasSubstr("Another run is writing"), HasSubstr("process " + std::to_string(::getpid()) + " on ")));
  lock.reset();
  EXPECT_EQ(lock_error(folder.file()), "");
  EXPECT_FALSE(fs::exists(folder.file("seedbed.db.lock")));
}

TEST(WriterLock, DeadHolderHoldsNothing) {
  const TemporaryFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    const WriterLock lock(folder.file());
    ::_exit(fs::exists(folder.file("seedbed.db.lock")) ? 0 : 1);  // without removing the file, as a kill would
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_TRUE(fs::exists(folder.file("seedbed.db.lock")));
  EXPECT_EQ(lock_error(folder.file()), "");
}

TEST(WriterLock, LongLeftoverIsOverwritten) {
  const TemporaryFolder folder;
  std::ofstream(folder.file("seedbed.db.lock")) << std::string(1000, 'x');
  const WriterLock lock(folder.file());
  EXPECT_THAT(lock_error(folder.file()), HasSubstr("`process " + std::to_string(::getpid())));
  EXPECT_LT(fs::file_size(folder.file("seedbed.db.lock")), 400u);
}

TEST(WriterLock, IsNotPassedOnToPrograms) {
  const TemporaryFolder folder;
  const WriterLock lock(folder.file());
  bool found = false;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (fs::read_symlink(entry.path(), gone) != folder.file("seedbed.db.lock")) continue;
    found = true;
    EXPECT_TRUE(::fcntl(std::stoi(entry.path().filename().string()), F_GETFD) & FD_CLOEXEC);
  }
  EXPECT_TRUE(found);
}

TEST(WriterLock, FolderThatIsNotThereIsRefused) {
  EXPECT_THAT(lock_error("/no/such/folder/seedbed.db"), HasSubstr("folder cannot be written"));
}

}  // namespace
}  // namespace seedbed::store::test
