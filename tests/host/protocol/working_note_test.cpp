#include "protocol/working_note.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace seedbed::protocol {
namespace {

namespace fs = std::filesystem;

class WorkingNoteTest : public testing::Test {
 protected:
  ~WorkingNoteTest() override { fs::remove(file_); }
  const fs::path file_ = fs::temp_directory_path() / ("seedbed-note-" + std::to_string(::getpid()));
};

TEST_F(WorkingNoteTest, HoldsWhatWasWrittenLast) {
  WorkingNote note(file_);
  EXPECT_FALSE(read_working_note(file_).has_value());
  note.write("key-1", "image-1");
  note.write("key-2", "image-2");
  note.write("key-3", "");
  const auto last = read_working_note(file_);
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->stage_key, "key-3");
  EXPECT_EQ(last->image_id, "");
}

TEST_F(WorkingNoteTest, OutlivesAWriterThatIsKilled) {
  const pid_t child = ::fork();
  if (child == 0) {
    WorkingNote note(file_);
    note.write("key", "image");
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(read_working_note(file_)->image_id, "image");
}

TEST_F(WorkingNoteTest, IsGoneWhenItsWriterEnds) {
  { WorkingNote(file_).write("key", "image"); }
  EXPECT_FALSE(fs::exists(file_));
  EXPECT_FALSE(read_working_note(file_).has_value());
}

TEST_F(WorkingNoteTest, CutsLongNamesAndBearsAFolderThatIsNotThere) {
  WorkingNote note(file_);
  note.write("key", std::string(1000, 'x'));
  EXPECT_EQ(read_working_note(file_)->image_id, std::string(255, 'x'));
  WorkingNote nowhere("/nowhere/at/all.working");
  nowhere.write("key", "image");
}

TEST_F(WorkingNoteTest, ATornFileSaysNothing) {
  std::ofstream(file_) << "short";
  EXPECT_FALSE(read_working_note(file_).has_value());
}

}  // namespace
}  // namespace seedbed::protocol
