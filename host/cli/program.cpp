#include "cli/program.hpp"

#include <exception>
#include <iostream>

#include "cli/verbs.hpp"
#include "seedbed/error.hpp"
#include "seedbed/version.hpp"

namespace seedbed::cli {
namespace {

#define SEEDBED_TEXT_OF(value) #value
#define SEEDBED_VERSION_TEXT(major, minor, patch) \
  SEEDBED_TEXT_OF(major) "." SEEDBED_TEXT_OF(minor) "." SEEDBED_TEXT_OF(patch)

constexpr const char* kVersion =
    SEEDBED_VERSION_TEXT(SEEDBED_VERSION_MAJOR, SEEDBED_VERSION_MINOR, SEEDBED_VERSION_PATCH);

void add_common_flags(CLI::App& app, Session& session) {
  app.add_option("--store", session.store, "SQLite file of the results; artefacts lie beside it")
      ->capture_default_str();
  app.add_option("--plugin-path", session.plugin_path, "Folders or files to look for plugins in, before all others");
  app.add_option("--workers", session.workers, "Worker processes (default: as many as fit the cores)")
      ->check(CLI::Range(1, 1024));
  app.add_option("--threads", session.threads, "Threads of a worker (default: the study's)")
      ->check(CLI::Range(1, 1024));
  app.add_flag("--builtin-only", session.builtin_only, "Take only the plugins that came with the program");
  app.add_flag("--json", session.json, "Print JSON");
  app.add_flag("--quiet", session.quiet, "Print results and errors only");
  app.fallthrough();  // common flags may follow the verb
}

void print_error(const UserError& error) {
  std::cerr << "error: ";
  if (!error.where().empty()) std::cerr << error.where() << ": ";
  std::cerr << error.message() << '\n';
  if (!error.hint().empty()) std::cerr << "  hint: " << error.hint() << '\n';
}

int report_current_exception() {
  try {
    throw;
  } catch (const UserErrors& errors) {
    for (const UserError& error : errors.errors()) print_error(error);
    return kExitUserError;
  } catch (const UserError& error) {
    print_error(error);
    return kExitUserError;
  } catch (const ContractError& error) {
    std::cerr << "error: " << error.who() << " broke a promise: " << error.promise()
              << "\n  expected: " << error.expected() << "\n  found:    " << error.found() << '\n';
    return kExitFailed;
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return kExitFailed;
  }
}

}  // namespace

int run_program(int argc, char** argv) {
  CLI::App app("Seedbed: a workbench for weakly supervised semantic segmentation", "seedbed");
  const auto session = std::make_shared<Session>();
  app.set_version_flag("--version", std::string("seedbed ") + kVersion);
  app.require_subcommand(1);
  add_common_flags(app, *session);
  add_run_verb(app, session);
  add_plan_verb(app, session);
  add_results_verb(app, session);
  add_plugins_verb(app, session);
  add_datasets_verb(app, session);
  add_weights_verb(app, session);
  add_evaluate_verb(app, session);
  add_doctor_verb(app, session);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and version end well; everything else is a slip of the hand.
    return app.exit(error) == 0 ? kExitDone : kExitUserError;
  } catch (...) {
    return report_current_exception();
  }
  return session->status;
}

}  // namespace seedbed::cli
