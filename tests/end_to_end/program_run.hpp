#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>
#include <nlohmann/json.hpp>

// Runs the real programs of this build, as a person would.
namespace seedbed::testing {

struct ProgramEnd {
  int status = 0;  ///< exit status; 128 + signal where a signal ended it
  std::string out;
  std::string err;
};

/// A program that is running; killed when this goes out of scope.
class RunningProgram {
 public:
  RunningProgram(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                 const std::filesystem::path& folder);
  ~RunningProgram();
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number) const;
  bool is_over();
  ProgramEnd wait();

 private:
  std::filesystem::path out_, err_;
  pid_t pid_ = -1;
  int wait_status_ = 0;
  bool over_ = false;
};

/// `seedbed` of this build.
std::filesystem::path seedbed_program();

/// Runs `seedbed` to its end in `folder`.
ProgramEnd seedbed(const std::vector<std::string>& arguments, const std::filesystem::path& folder);

/// What it prints under --json. A status other than `expected_status` fails the test with its words.
nlohmann::ordered_json seedbed_json(std::vector<std::string> arguments, const std::filesystem::path& folder,
                                    int expected_status = 0);

/// Rows of a statement on a store, as `results sql` gives them.
std::vector<std::vector<std::string>> sql(const std::filesystem::path& store, const std::string& statement);

/// Processes whose parent is `parent`.
std::vector<pid_t> children_of(pid_t parent);

/// A folder of its own for one test, removed at the end.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  /// Writes a file and returns its path.
  std::filesystem::path write(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

}  // namespace seedbed::testing
