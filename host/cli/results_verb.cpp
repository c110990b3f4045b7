#include <iostream>

#include "cli/verbs.hpp"
#include "report/cells.hpp"
#include "report/table.hpp"
#include "store/store.hpp"

namespace seedbed::cli {
namespace {

std::unique_ptr<store::Store> open_store(const Session& session) {
  return store::Store::open(session.store, store::Access::read);
}

// --json is short for --format json.
report::Format format_of(const Session& session, const std::string& name) {
  return session.json ? report::Format::json : report::format_from(name);
}

std::shared_ptr<std::string> add_format_flag(CLI::App& verb) {
  const auto format = std::make_shared<std::string>("text");
  verb.add_option("--format", *format, "text, markdown, csv, latex or json")->capture_default_str();
  return format;
}

void add_table(CLI::App& verb, const std::shared_ptr<Session>& session) {
  CLI::App* table = verb.add_subcommand("table", "Mean, spread and n over random seeds, one row a grid point");
  table->fallthrough();
  const auto options = std::make_shared<report::TableOptions>();
  const auto format = add_format_flag(*table);
  table->add_option("--study", options->study, "A study's name (default: the one run last)");
  table->add_option("--metric", options->metrics, "Metrics (default: the headline ones)");
  table->add_option("--target", options->targets, "Targets: seeds, pseudo_labels, predictions ... (default: all)");
  table->add_option("--role", options->roles, "Roles (default: all)");
  table->add_option("--rule", options->rules, "fixed, chosen, oracle (default: all)");
  table->add_option("--class", options->class_name, "One class instead of totals");
  table->add_option("--rows", options->rows, "Axes that label rows, in order");
  table->add_option("--columns", options->columns, "Axes that stand across");
  table->add_flag("--every-limit", options->every_limit, "Runs on fewer images too, each in rows of its own");
  table->callback([session, options, format] {
    const auto store = open_store(*session);
    std::cout << report::rendered(report::seeds_table(*store, *options), format_of(*session, *format));
  });
}

void add_cells(CLI::App& verb, const std::shared_ptr<Session>& session) {
  CLI::App* cells = verb.add_subcommand("cells", "Every cell with its stages, attempts, times and logs");
  cells->fallthrough();
  const auto options = std::make_shared<report::CellsOptions>();
  const auto format = add_format_flag(*cells);
  cells->add_option("--study", options->study, "A study's name (default: the one run last)");
  cells->add_flag("--stages", options->stages, "Every stage, not only those that failed");
  cells->add_flag("--unfinished", options->unfinished_only, "Leave out cells that are done");
  cells->callback([session, options, format] {
    const auto store = open_store(*session);
    std::cout << report::rendered(report::cells_report(*store, *options), *options, format_of(*session, *format));
  });
}

void add_sql(CLI::App& verb, const std::shared_ptr<Session>& session) {
  CLI::App* sql = verb.add_subcommand("sql", "One reading statement on the store (results/README.md has examples)");
  sql->fallthrough();
  const auto statement = std::make_shared<std::string>();
  const auto format = add_format_flag(*sql);
  sql->add_option("statement", *statement, "SQL")->required();
  sql->callback([session, statement, format] {
    std::cout << report::rendered(open_store(*session)->query(*statement), format_of(*session, *format));
  });
}

}  // namespace

void add_results_verb(CLI::App& app, const std::shared_ptr<Session>& session) {
  CLI::App* verb = app.add_subcommand("results", "Read the store, and export what stages left");
  verb->require_subcommand(1);
  verb->fallthrough();
  add_table(*verb, session);
  add_cells(*verb, session);
  add_sql(*verb, session);
  add_export(*verb, session);
}

}  // namespace seedbed::cli
