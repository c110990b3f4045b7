#include <algorithm>
#include <iostream>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/verbs.hpp"
#include "plan/plan.hpp"
#include "run/supervisor.hpp"
#include "run/worker_process.hpp"
#include "seedbed/error.hpp"

namespace seedbed::cli {
namespace {

std::vector<store::StageRecord> stage_records(const plan::Plan& plan) {
  std::vector<store::StageRecord> records;
  for (const plan::PlannedStage& stage : plan.stages) records.push_back(stage.record);
  return records;
}

std::int64_t num_workers(const Session& session, const study::Study& study, std::int64_t threads) {
  const auto cores = std::max<std::int64_t>(1, std::thread::hardware_concurrency());
  std::int64_t workers = session.workers;
  if (workers == 0) workers = study.execution.value("workers", std::int64_t{0});
  if (workers == 0) return std::max<std::int64_t>(1, cores / threads);
  if (workers * threads > cores && !session.quiet) {
    std::cerr << fmt::format("note: {} workers of {} threads share {} cores; each will be slower.\n", workers, threads,
                             cores);
  }
  return workers;
}

nlohmann::ordered_json as_json(const run::RunSummary& summary) {
  nlohmann::ordered_json json{{"done", summary.done},
                              {"reused", summary.reused},
                              {"workers_started", summary.workers_started},
                              {"interrupted", summary.interrupted},
                              {"failures", nlohmann::ordered_json::array()}};
  for (const run::StageFailure& failure : summary.failures) {
    json["failures"].push_back({{"stage", failure.key},
                                {"label", failure.label},
                                {"state", protocol::name_of(failure.state)},
                                {"cause", protocol::name_of(failure.cause)},
                                {"message", failure.message},
                                {"hint", failure.hint},
                                {"log", failure.log_file}});
  }
  return json;
}

void print_summary(const run::RunSummary& summary, const std::filesystem::path& store) {
  std::cout << fmt::format("{} stages done, {} reused", summary.done, summary.reused);
  if (summary.workers_started == 0) std::cout << ", no worker was needed";
  std::cout << fmt::format(". Store: {}\n", store.string());
  for (const run::StageFailure& failure : summary.failures) {
    std::cout << fmt::format("{}: {}\n  {} ({})\n", protocol::name_of(failure.state), failure.label, failure.message,
                             protocol::name_of(failure.cause));
    if (!failure.hint.empty()) std::cout << "  hint: " << failure.hint << '\n';
    if (!failure.log_file.empty()) std::cout << "  log:  " << failure.log_file << '\n';
  }
}

struct RunFlags : StudyFlags {
  bool fail_fast = false;
};

void run_study(Session& session, const RunFlags& flags) {
  const manifest::Catalogue catalogue = session.catalogue();
  const study::Study study = read_study(session, flags, catalogue);
  const plan::Plan plan = plan::make_plan(study, catalogue);
  // Absolute, so that the logs it names are found from any folder.
  const auto store = store::Store::open(std::filesystem::absolute(session.store), store::Access::write);
  store->record_study(plan.study, stage_records(plan));
  for (const plan::Json& facts : plan.plugins) store->record_plugin(facts.at("digest"), facts);
  const std::int64_t threads = plan.stages.empty() ? 1 : plan.stages.front().threads;
  run::RunOptions options;
  options.worker_program = run::worker_program();
  options.workers = num_workers(session, study, threads);
  options.keep_going = !flags.fail_fast;
  options.quiet = session.quiet;
  options.terminal = ::isatty(STDERR_FILENO) == 1;
  const run::RunSummary summary = run::run_plan(plan, *store, options, std::cerr);
  store->close();
  if (session.json) {
    print_json(as_json(summary));
  } else {
    print_summary(summary, session.store);
  }
  if (summary.interrupted) {
    session.status = kExitInterrupted;
  } else if (!summary.failures.empty()) {
    session.status = kExitFailed;
  }
}

}  // namespace

void add_study_flags(CLI::App& verb, const std::shared_ptr<StudyFlags>& flags) {
  verb.add_option("study", flags->file, "Study file (TOML)")->required();
  verb.add_option("--set", flags->sets, "key=value, over everything else; may be repeated")
      ->allow_extra_args(false)
      ->take_all();
  verb.add_option("--images", flags->images, "Only the first N images of each role (marked in the results)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
}

void add_run_verb(CLI::App& app, const std::shared_ptr<Session>& session) {
  CLI::App* verb = app.add_subcommand("run", "Run what a study still needs and store its numbers");
  const auto flags = std::make_shared<RunFlags>();
  add_study_flags(*verb, flags);
  verb->add_flag("--fail-fast", flags->fail_fast, "Stop at the first stage that fails");
  verb->callback([session, flags] { run_study(*session, *flags); });
}

}  // namespace seedbed::cli
