#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "expect_error.hpp"
#include "small_study.hpp"

namespace seedbed::store::test {
namespace {
namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

std::string open_error(const fs::path& file, Access access) {
  return user_error([&] { Store::open(file, access); });
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  return names;
}

std::string bytes_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void write_bytes(const fs::path& file, const std::string& bytes) { std::ofstream(file, std::ios::binary) << bytes; }

// Speaks to SQLite behind the store's back.
void run_sql(const fs::path& file, const char* sql) {
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(file.c_str(), &handle), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(handle);
  sqlite3_close(handle);
}

void make_store(const fs::path& file) {
  const auto store = Store::open(file, Access::write);
  fill(*store);
  store->close();
}

TEST(OpenStore, MakesFoldersAndFile) {
  const TemporaryFolder folder;
  const auto store = Store::open(folder.path() / "a" / "b" / "seedbed.db", Access::write);
  EXPECT_TRUE(fs::exists(folder.path() / "a" / "b" / "seedbed.db"));
  EXPECT_EQ(store->file(), folder.path() / "a" / "b" / "seedbed.db");
  EXPECT_EQ(store->artefact_folder(), folder.path() / "a" / "b" / "seedbed.db.artefacts");
  EXPECT_EQ(store->inbox_folder(), folder.path() / "a" / "b" / "seedbed.db.inbox");
  EXPECT_EQ(store->log_folder(), folder.path() / "a" / "b" / "seedbed.db.logs");
}

TEST(OpenStore, CleanEndLeavesOneFile) {
  const TemporaryFolder folder;
  make_store(folder.file());
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"seedbed.db"});
  { const auto by_destructor = Store::open(folder.file(), Access::write); }
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"seedbed.db"});
  EXPECT_EQ(bytes_of(folder.file()).at(18), 1) << "write-ahead mode needs files beside it, on read-only media too";
}

TEST(OpenStore, KeepsWhatItHeld) {
  const TemporaryFolder folder;
  make_store(folder.file());
  EXPECT_EQ(
      Store::open(folder.file(), Access::read)->query("SELECT count(*) FROM v_cells WHERE state = 'done'").rows[0][0],
      "12");
  EXPECT_EQ(Store::open(folder.file(), Access::write)->query("SELECT count(*) FROM cells").rows[0][0], "12");
}

TEST(OpenStore, ReaderSeesWhatARunningWriterCommits) {
  const TemporaryFolder folder;
  const auto writer = Store::open(folder.file(), Access::write);
  const auto reader = Store::open(folder.file(), Access::read);
  fill(*writer);
  EXPECT_EQ(reader->query("SELECT count(*) FROM cells").rows[0][0], "12");
  writer->close();
  EXPECT_EQ(reader->query("SELECT count(*) FROM cells").rows[0][0], "12");
}

TEST(OpenStore, OddNamesAreOnlyNames) {
  const TemporaryFolder folder;
  const fs::path file = folder.file("100% a?mode=ro#b é.db");
  make_store(file);
  EXPECT_EQ(Store::open(file, Access::read)->query("SELECT count(*) FROM cells").rows[0][0], "12");
}

TEST(OpenStore, MissingFileToReadIsRefused) {
  const TemporaryFolder folder;
  EXPECT_THAT(open_error(folder.file(), Access::read),
              AllOf(HasSubstr("There is no results store here"), HasSubstr("--store")));
  EXPECT_TRUE(names_in(folder.path()).empty());
}

TEST(OpenStore, FolderIsRefused) {
  const TemporaryFolder folder;
  EXPECT_THAT(open_error(folder.path(), Access::read), HasSubstr("this is a folder"));
  EXPECT_THAT(open_error(folder.path(), Access::write), HasSubstr("this is a folder"));
}

TEST(OpenStore, SpecialFileIsRefused) {
  EXPECT_THAT(open_error("/dev/null", Access::read), HasSubstr("no ordinary file"));
}

TEST(OpenStore, FileWhereAFolderShouldBeIsRefused) {
  const TemporaryFolder folder;
  write_bytes(folder.file("file"), "x");
  EXPECT_THAT(open_error(folder.path() / "file" / "seedbed.db", Access::write), HasSubstr("store"));
}

TEST(OpenStore, FileThatIsNoDatabaseIsRefusedAndLeftAlone) {
  const TemporaryFolder folder;
  for (const Access access : {Access::read, Access::write}) {
    write_bytes(folder.file(), "[study]\nname = \"not a database\"\n");
    EXPECT_THAT(open_error(folder.file(), access), HasSubstr("it is no SQLite database"));
    EXPECT_EQ(bytes_of(folder.file()), "[study]\nname = \"not a database\"\n");
    EXPECT_EQ(names_in(folder.path()).size(), 1u);
  }
}

TEST(OpenStore, OtherProgramsDatabaseIsRefusedAndLeftAlone) {
  const TemporaryFolder folder;
  run_sql(folder.file(), "CREATE TABLE bookmarks (address TEXT)");
  const std::string before = bytes_of(folder.file());
  EXPECT_THAT(open_error(folder.file(), Access::read), HasSubstr("another program's"));
  EXPECT_THAT(open_error(folder.file(), Access::write), HasSubstr("another program's"));
  EXPECT_EQ(bytes_of(folder.file()), before);
  EXPECT_EQ(names_in(folder.path()).size(), 1u);
}

TEST(OpenStore, EmptyFileBecomesAStoreWhenWritten) {
  const TemporaryFolder folder;
  write_bytes(folder.file(), "");
  EXPECT_THAT(open_error(folder.file(), Access::read), HasSubstr("The store is empty"));
  EXPECT_EQ(open_error(folder.file(), Access::write), "");
  EXPECT_EQ(open_error(folder.file(), Access::read), "");
}

TEST(OpenStore, NewerVersionIsRefusedAndLeftAlone) {
  const TemporaryFolder folder;
  make_store(folder.file());
  run_sql(folder.file(), "PRAGMA user_version = 99");
  const std::string before = bytes_of(folder.file());
  for (const Access access : {Access::read, Access::write}) {
    EXPECT_THAT(open_error(folder.file(), access), AllOf(HasSubstr("newer Seedbed"), HasSubstr("`99`")));
  }
  EXPECT_EQ(bytes_of(folder.file()), before);
}

TEST(OpenStore, OlderVersionIsNotRead) {
  const TemporaryFolder folder;
  make_store(folder.file());
  run_sql(folder.file(), "PRAGMA user_version = 0");
  EXPECT_THAT(open_error(folder.file(), Access::read),
              AllOf(HasSubstr("older Seedbed"), HasSubstr("brings it up to date")));
}

TEST(OpenStore, DamageIsFoundBeforeAnythingIsWritten) {
  const TemporaryFolder folder;
  make_store(folder.file());
  std::string bytes = bytes_of(folder.file());
  // Every page but the first, so that whichever holds tables is hit.
  for (std::size_t at = 4096; at + 64 < bytes.size(); at += 4096) bytes.replace(at, 64, 64, '\xA5');
  write_bytes(folder.file(), bytes);
  EXPECT_THAT(open_error(folder.file(), Access::write),
              AllOf(HasSubstr("The store is damaged"), HasSubstr(".recover")));
  EXPECT_EQ(bytes_of(folder.file()), bytes);
  EXPECT_THAT(user_error([&] { Store::open(folder.file(), Access::read)->query("SELECT * FROM v_metrics"); }),
              HasSubstr("The store is damaged"));
}

TEST(OpenStore, TruncatedFileIsRefused) {
  const TemporaryFolder folder;
  make_store(folder.file());
  const std::string whole = bytes_of(folder.file());
  for (const std::size_t size : {17u, 50u, 100u, 4000u, 4096u, 40000u}) {
    SCOPED_TRACE(size);
    write_bytes(folder.file(), whole.substr(0, size));
    const std::string refusal = user_error([&] { Store::open(folder.file(), Access::write); });
    EXPECT_THAT(refusal, HasSubstr("store"));
  }
}

// As somebody who may not do everything; the exit status is 3 for a UserError, whose words go to standard error.
template <typename Work>
[[noreturn]] void as_nobody(const Work& work) {
  if (::getuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) ::_exit(9);
  const std::string error = user_error(work);
  std::fprintf(stderr, "%s\n", error.c_str());
  ::_exit(error.empty() ? 0 : 3);
}

class OpenStoreDeathTest : public testing::Test {
 protected:
  void SetUp() override {
    make_store(folder_.file());
    fs::permissions(folder_.path(), fs::perms(0755));
  }
  void TearDown() override { fs::permissions(folder_.path(), fs::perms(0700)); }

  TemporaryFolder folder_;
};

TEST_F(OpenStoreDeathTest, ReadOnlyFileIsNotWritten) {
  fs::permissions(folder_.file(), fs::perms(0444));
  fs::permissions(folder_.path(), fs::perms(0777));
  EXPECT_EXIT(as_nobody([&] { Store::open(folder_.file(), Access::write); }), testing::ExitedWithCode(3), "read-only");
}

TEST_F(OpenStoreDeathTest, ReadOnlyFolderIsNotWritten) {
  fs::permissions(folder_.path(), fs::perms(0555));
  EXPECT_EXIT(as_nobody([&] { Store::open(folder_.file(), Access::write); }), testing::ExitedWithCode(3),
              "folder cannot be written");
}

TEST_F(OpenStoreDeathTest, ReadOnlyFolderCanBeRead) {
  fs::permissions(folder_.path(), fs::perms(0555));
  fs::permissions(folder_.file(), fs::perms(0444));
  EXPECT_EXIT(as_nobody([&] { Store::open(folder_.file(), Access::read)->query("SELECT * FROM v_metrics"); }),
              testing::ExitedWithCode(0), "");
}

TEST_F(OpenStoreDeathTest, FileInWriteAheadModeCanBeReadAloneInAReadOnlyFolder) {
  run_sql(folder_.file(), "PRAGMA journal_mode = WAL");
  fs::permissions(folder_.path(), fs::perms(0555));
  EXPECT_EXIT(as_nobody([&] { Store::open(folder_.file(), Access::read)->query("SELECT * FROM v_metrics"); }),
              testing::ExitedWithCode(0), "");
}

TEST_F(OpenStoreDeathTest, UncleanStoreInAReadOnlyFolderIsRefused) {
  {
    const auto writer = Store::open(folder_.file(), Access::write);
    finish(*writer, "fit-cam-0");
    fs::copy(folder_.file(), folder_.file("copy.db"));
    fs::copy(folder_.file().string() + "-wal", folder_.file("copy.db-wal"));
  }
  fs::permissions(folder_.path(), fs::perms(0555));
  EXPECT_EXIT(as_nobody([&] { Store::open(folder_.file("copy.db"), Access::read)->query("SELECT * FROM v_metrics"); }),
              testing::ExitedWithCode(3), "not closed cleanly");
}

TEST_F(OpenStoreDeathTest, UnreadableFileIsRefused) {
  fs::permissions(folder_.file(), fs::perms(0000));
  EXPECT_EXIT(as_nobody([&] { Store::open(folder_.file(), Access::read); }), testing::ExitedWithCode(3),
              "cannot be opened");
}

TEST_F(OpenStoreDeathTest, ReadOnlyFileSystemIsReadAndNotWritten) {
  // 7: this machine has no user namespaces to mount in.
  const auto mounted_read_only = [&] {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ::_exit(7);
    const std::string folder = folder_.path().string();
    if (::mount(folder.c_str(), folder.c_str(), nullptr, MS_BIND, nullptr) != 0) ::_exit(7);
    if (::mount(nullptr, folder.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) != 0) ::_exit(7);
    Store::open(folder_.file(), Access::read)->query("SELECT * FROM v_metrics");
    const std::string error = open_error(folder_.file(), Access::write);
    std::fprintf(stderr, "%s\n", error.c_str());
    ::_exit(error.find("Read-only file system") != std::string::npos ? 3 : 8);
  };
  const pid_t child = ::fork();
  if (child == 0) mounted_read_only();
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 7) GTEST_SKIP() << "no user namespaces here";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 3) << status;
}

TEST(OpenStore, SecondWriterIsToldWhoWrites) {
  const TemporaryFolder folder;
  const auto first = Store::open(folder.file(), Access::write);
  EXPECT_THAT(open_error(folder.file(), Access::write),
              AllOf(HasSubstr("Another run is writing the store"), HasSubstr("process " + std::to_string(::getpid()))));
  first->close();
  EXPECT_EQ(open_error(folder.file(), Access::write), "");
}

TEST(OpenStore, ReaderDoesNotWrite) {
  const TemporaryFolder folder;
  make_store(folder.file());
  const auto reader = Store::open(folder.file(), Access::read);
  const SmallStudy small = small_study();
  const std::vector<std::function<void()>> writes{
      [&] { reader->record_study(small.study, small.stages); },
      [&] { reader->begin_attempt("fit-cam-0", 1, ""); },
      [&] {
        reader->end_attempt({"fit-cam-0", 1, protocol::StageState::failed, protocol::Cause::crash, "", 0});
      },
      [&] { reader->take_result(done_result("fit-cam-0", 1)); },
      [&] { reader->close_stale_attempts(); },
      [&] { reader->forget_artefacts("fit-cam-0"); },
      [&] { reader->record_plugin("digest", Json::object()); },
      [&] { reader->together([] {}); }};
  for (const auto& write : writes) EXPECT_THAT(contract_error(write), HasSubstr("Access::write"));
}

TEST(OpenStore, ClosedStoreIsLeftAlone) {
  const TemporaryFolder folder;
  const auto store = Store::open(folder.file(), Access::write);
  store->close();
  store->close();
  EXPECT_THAT(contract_error([&] { store->query("SELECT 1"); }), HasSubstr("closed"));
  EXPECT_THAT(contract_error([&] { store->forget_artefacts("key"); }), HasSubstr("closed"));
}

}  // namespace
}  // namespace seedbed::store::test
