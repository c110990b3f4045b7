#pragma once

#include <memory>

#include <CLI/CLI.hpp>

#include "cli/session.hpp"

namespace seedbed::cli {

// Each adds one verb to the program; its callback sets session->status.
void add_run_verb(CLI::App& app, const std::shared_ptr<Session>& session);
void add_plan_verb(CLI::App& app, const std::shared_ptr<Session>& session);
void add_plugins_verb(CLI::App& app, const std::shared_ptr<Session>& session);
void add_datasets_verb(CLI::App& app, const std::shared_ptr<Session>& session);
void add_results_verb(CLI::App& app, const std::shared_ptr<Session>& session);
void add_weights_verb(CLI::App& app, const std::shared_ptr<Session>& session);
void add_evaluate_verb(CLI::App& app, const std::shared_ptr<Session>& session);
void add_doctor_verb(CLI::App& app, const std::shared_ptr<Session>& session);

// Below `results`.
void add_export(CLI::App& verb, const std::shared_ptr<Session>& session);

/// The study file and the flags that go with it.
void add_study_flags(CLI::App& verb, const std::shared_ptr<StudyFlags>& flags);

}  // namespace seedbed::cli
