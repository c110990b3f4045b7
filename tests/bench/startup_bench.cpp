// How long a person waits before a word appears: whole processes, beside one that does nothing and one that maps
// LibTorch. Run with --benchmark_enable_random_interleaving=true for pairs under equal load.
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace {

int run(std::vector<std::string> words) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = -1;
  int status = -1;
  if (posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ) == 0) ::waitpid(pid, &status, 0);
  posix_spawn_file_actions_destroy(&actions);
  return status;
}

void time_program(benchmark::State& state, const std::vector<std::string>& words) {
  for (auto _ : state) {
    if (run(words) != 0) state.SkipWithError("the program failed");
  }
}

void help(benchmark::State& state) { time_program(state, {SEEDBED_PROGRAM, "--help"}); }
void plugins_list(benchmark::State& state) { time_program(state, {SEEDBED_PROGRAM, "plugins", "list"}); }
void peer_true(benchmark::State& state) { time_program(state, {"/bin/true"}); }
void peer_worker_version(benchmark::State& state) { time_program(state, {SEEDBED_WORKER_PROGRAM, "--version"}); }

}  // namespace

BENCHMARK(help)->UseRealTime()->Unit(benchmark::kMillisecond)->Repetitions(9)->ReportAggregatesOnly();
BENCHMARK(plugins_list)->UseRealTime()->Unit(benchmark::kMillisecond)->Repetitions(9)->ReportAggregatesOnly();
BENCHMARK(peer_true)->UseRealTime()->Unit(benchmark::kMillisecond)->Repetitions(9)->ReportAggregatesOnly();
BENCHMARK(peer_worker_version)->UseRealTime()->Unit(benchmark::kMillisecond)->Repetitions(9)->ReportAggregatesOnly();
