#include "digest/file_digests.hpp"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "digest/sha256.hpp"
#include "seedbed/error.hpp"
#include "support/temp_folder.hpp"

namespace seedbed::digest {
namespace {

namespace fs = std::filesystem;

using testing::TempFolder;

constexpr int kNumSettled = 100;

// Nothing can set a file's time of change back, so all tests share files that are two seconds old.
class FileDigestsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    files_ = new TempFolder();
    for (int i = 0; i < kNumSettled; ++i) files_->write(std::to_string(i), content(i));
    std::this_thread::sleep_for(std::chrono::milliseconds(2100));
  }
  static void TearDownTestSuite() { delete files_; }

  static fs::path settled(int i) { return *files_ / std::to_string(i); }
  static std::string content(int i) { return "content " + std::to_string(i); }

  // How many of these files a new process would have to read.
  std::size_t num_read(std::initializer_list<int> files) {
    FileDigests digests(cache_.path());
    for (const int i : files) EXPECT_EQ(digests.of(settled(i)), sha256_hex(content(i)));
    return digests.num_read();
  }

  std::string log() const {
    std::ifstream stream(cache_ / "digests", std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  static inline TempFolder* files_ = nullptr;
  TempFolder cache_;
};

TEST_F(FileDigestsTest, RemembersAcrossProcesses) {
  EXPECT_EQ(num_read({0, 1, 0}), 2u);
  EXPECT_EQ(num_read({0, 1, 2}), 1u);
  EXPECT_EQ(num_read({0, 1, 2}), 0u);
}

TEST_F(FileDigestsTest, NoticesAChangeThatHidesItsTime) {
  constexpr int kChanged = kNumSettled - 1;  // used by no other test
  EXPECT_EQ(num_read({kChanged}), 1u);
  const auto modified = fs::last_write_time(settled(kChanged));
  files_->write(std::to_string(kChanged), "CONTENT 99");
  fs::last_write_time(settled(kChanged), modified);
  EXPECT_EQ(FileDigests(cache_.path()).of(settled(kChanged)), sha256_hex("CONTENT 99"));
}

TEST_F(FileDigestsTest, DoesNotTrustAFreshFile) {
  const fs::path file = cache_.write("a", "abc");
  FileDigests digests(cache_.path());
  digests.of(file);
  cache_.write("a", "xyz");  // within the same tick of the clock perhaps
  EXPECT_EQ(digests.of(file), sha256_hex("xyz"));
  EXPECT_EQ(digests.num_read(), 2u);
}

TEST_F(FileDigestsTest, SurvivesADamagedLog) {
  EXPECT_EQ(num_read({0}), 1u);
  const std::string good = log();
  const auto num_read_with = [&](const std::string& text) {
    cache_.write("digests", text);
    return num_read({0});
  };
  EXPECT_EQ(num_read_with(good), 0u);
  EXPECT_EQ(num_read_with("garbage\n" + good + std::string(1000, '\xff')), 0u);
  EXPECT_EQ(num_read_with(good.substr(0, good.size() - 3)), 1u);
  std::string wrong_digest = good;
  wrong_digest[wrong_digest.find(sha256_hex(content(0)))] ^= 1;  // fails its check word
  EXPECT_EQ(num_read_with(wrong_digest), 1u);
}

// The check word fits, the line does not.
TEST_F(FileDigestsTest, PassesOverLinesThatCannotBeRead) {
  const std::string digest = sha256_hex(content(0));
  for (const std::string& line :
       {"1 2 3 4 99999999999999999999999 " + digest + " ", "1 2 3 4 5 " + digest.substr(1) + " ", std::string("1 2 "),
        std::string("1 2 3 4 5"), std::string(" ")}) {
    cache_.write("digests", line + sha256_hex(line).substr(0, 8) + "\n");
    EXPECT_EQ(num_read({0}), 1u) << line;
  }
}

TEST_F(FileDigestsTest, AppendsAfterATornLine) {
  num_read({0});
  cache_.write("digests", log() + "12 34 torn");
  EXPECT_EQ(num_read({1}), 1u);
  EXPECT_EQ(num_read({0, 1}), 0u);
}

TEST_F(FileDigestsTest, WritesTheLogAnewWhenMostOfItIsStale) {
  num_read({0});
  std::string stale = log();
  for (int i = 0; i < 2000; ++i) stale += "stale\n";
  cache_.write("digests", stale);
  EXPECT_EQ(num_read({1}), 1u);
  EXPECT_LT(log().size(), 1000u);
  EXPECT_EQ(num_read({0, 1}), 0u);
}

TEST_F(FileDigestsTest, ProcessesShareOneFolder) {
  constexpr int kProcesses = 4;
  constexpr int kFilesEach = 20;
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    children.push_back(::fork());
    if (children.back() == 0) {
      for (int i = 0; i < kFilesEach; ++i) FileDigests(cache_.path()).of(settled(process * kFilesEach + i));
      ::_exit(0);
    }
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  FileDigests digests(cache_.path());
  for (int i = 0; i < kProcesses * kFilesEach; ++i) EXPECT_EQ(digests.of(settled(i)), sha256_hex(content(i)));
  EXPECT_EQ(digests.num_read(), 0u);
}

TEST_F(FileDigestsTest, ThreadsShareOneObject) {
  FileDigests digests(cache_.path());
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) EXPECT_EQ(digests.of(settled(i % 5)), sha256_hex(content(i % 5)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(digests.num_read(), 20u);
}

TEST_F(FileDigestsTest, WorksWithoutAFolder) {
  EXPECT_EQ(FileDigests(fs::path()).of(settled(0)), sha256_hex(content(0)));
  const fs::path blocked = cache_.write("blocked", "");  // a file where the folder should be
  EXPECT_EQ(FileDigests(blocked).of(settled(0)), sha256_hex(content(0)));
}

TEST_F(FileDigestsTest, RefusesWhatCannotBeRead) {
  FileDigests digests(cache_.path());
  EXPECT_THROW(digests.of(cache_ / "missing"), UserError);
  EXPECT_THROW(digests.of(cache_.path()), UserError);
}

// A writer that never rests: the digest of a mixture would be worse than an error.
TEST_F(FileDigestsTest, RefusesAFileThatChangesWhileItIsRead) {
  const fs::path file = cache_.write("a", std::string(64 << 20, 'x'));
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    const int descriptor = ::open(file.c_str(), O_WRONLY);
    while (!stop) {
      EXPECT_EQ(::pwrite(descriptor, "y", 1, 0), 1);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ::close(descriptor);
  });
  EXPECT_THROW(FileDigests(cache_.path()).of(file), UserError);
  stop = true;
  writer.join();
}

TEST(UserCacheFolder, FollowsTheXdgSpecification) {
  ::setenv("XDG_CACHE_HOME", "/somewhere", 1);
  EXPECT_EQ(user_cache_folder(), "/somewhere/seedbed");
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  ::setenv("HOME", "/home/someone", 1);
  EXPECT_EQ(user_cache_folder(), "/home/someone/.cache/seedbed");
  ::unsetenv("XDG_CACHE_HOME");
  ::unsetenv("HOME");
  EXPECT_EQ(user_cache_folder(), "");
}

}  // namespace
}  // namespace seedbed::digest
