#include "program_run.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>
#include <system_error>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace seedbed::testing {
namespace fs = std::filesystem;
namespace {

std::string text_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

fs::path fresh_path(const std::string& stem) {
  static std::atomic<int> number{0};
  return fs::temp_directory_path() / (stem + std::to_string(::getpid()) + "-" + std::to_string(number++));
}

}  // namespace

RunningProgram::RunningProgram(const fs::path& program, const std::vector<std::string>& arguments,
                               const fs::path& folder)
    : out_(fresh_path("seedbed-out-")), err_(fresh_path("seedbed-err-")) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  std::vector<std::string> words{program.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const int error = posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::system_error(error, std::generic_category(), program.string());
}

RunningProgram::~RunningProgram() {
  if (!over_) {
    ::kill(pid_, SIGKILL);
    wait();
  }
  std::error_code ignored;
  fs::remove(out_, ignored);
  fs::remove(err_, ignored);
}

void RunningProgram::signal(int number) const { ::kill(pid_, number); }

bool RunningProgram::is_over() {
  if (!over_) over_ = ::waitpid(pid_, &wait_status_, WNOHANG) == pid_;
  return over_;
}

ProgramEnd RunningProgram::wait() {
  while (!over_) {
    if (::waitpid(pid_, &wait_status_, 0) == pid_) {
      over_ = true;
    } else if (errno != EINTR) {
      throw std::system_error(errno, std::generic_category(), "waitpid");
    }
  }
  const int status = WIFSIGNALED(wait_status_) ? 128 + WTERMSIG(wait_status_) : WEXITSTATUS(wait_status_);
  return {status, text_of(out_), text_of(err_)};
}

fs::path seedbed_program() { return SEEDBED_PROGRAM; }

ProgramEnd seedbed(const std::vector<std::string>& arguments, const fs::path& folder) {
  return RunningProgram(seedbed_program(), arguments, folder).wait();
}

nlohmann::ordered_json seedbed_json(std::vector<std::string> arguments, const fs::path& folder, int expected_status) {
  arguments.push_back("--json");
  const ProgramEnd end = seedbed(arguments, folder);
  EXPECT_EQ(end.status, expected_status) << end.out << end.err;
  auto json = nlohmann::ordered_json::parse(end.out, nullptr, false);
  EXPECT_FALSE(json.is_discarded()) << end.out << end.err;
  return json;
}

std::vector<std::vector<std::string>> sql(const fs::path& store, const std::string& statement) {
  const auto json = seedbed_json({"results", "sql", statement, "--store", store.string()}, fs::temp_directory_path());
  std::vector<std::vector<std::string>> rows;
  for (const auto& row : json) {
    rows.emplace_back();
    for (const auto& value : row) rows.back().push_back(value.is_string() ? value.get<std::string>() : value.dump());
  }
  return rows;
}

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  const fs::path file = fs::path("/proc") / std::to_string(parent) / "task" / std::to_string(parent) / "children";
  std::ifstream stream(file);
  for (pid_t child = 0; stream >> child;) children.push_back(child);
  return children;
}

ScratchFolder::ScratchFolder() : path_(fresh_path("seedbed-test-")) { fs::create_directories(path_); }

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

fs::path ScratchFolder::write(const std::string& name, const std::string& text) const {
  const fs::path file = path_ / name;
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
  return file;
}

}  // namespace seedbed::testing
