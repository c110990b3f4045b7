#include <iostream>
#include <map>
#include <set>

#include <fmt/format.h>

#include "cli/text_table.hpp"
#include "cli/verbs.hpp"
#include "dataset/dataset.hpp"
#include "run/ask.hpp"
#include "run/worker_process.hpp"

namespace seedbed::cli {
namespace {

using Json = nlohmann::ordered_json;

// Each data set that the study's cells use, once.
std::vector<Json> dataset_tables(const study::Study& study) {
  std::vector<Json> tables;
  std::set<std::string> seen;
  for (const study::Cell& cell : study.cells) {
    const Json& table = cell.resolved.at("dataset");
    if (seen.insert(table.dump()).second) tables.push_back(table);
  }
  return tables;
}

Json role_json(const dataset::Dataset& data, const dataset::Role& role) {
  std::map<std::int64_t, std::int64_t> counts;
  std::int64_t unknown = 0;
  for (const std::string& id : role.image_ids) {
    const auto labels = data.image_labels(id);
    if (!labels) {
      ++unknown;
      continue;
    }
    for (const std::int64_t label : *labels) ++counts[label];
  }
  Json classes = Json::object();
  for (const auto& [label, count] : counts)
    classes[data.classes().names.at(static_cast<std::size_t>(label - 1))] = count;
  return {{"name", role.name},
          {"images", role.image_ids.size()},
          {"masks", role.has_masks},
          {"images_with_class", classes},
          {"labels_only_in_masks", unknown}};
}

Json info_json(const dataset::Dataset& data) {
  Json roles = Json::array();
  for (const dataset::Role& role : data.roles()) roles.push_back(role_json(data, role));
  Json side = Json::array();
  for (const dataset::SideInput& input : data.side_inputs()) {
    side.push_back({{"name", input.name}, {"kind", input.kind == dataset::SideKind::labels ? "labels" : "grey"}});
  }
  return {{"kind", data.kind()}, {"classes", data.classes().names}, {"roles", roles}, {"side", side}};
}

void print_info(const Json& info) {
  std::cout << fmt::format("{}: {} classes\n\n", info.at("kind").get<std::string>(), info.at("classes").size());
  std::vector<std::vector<std::string>> rows{{"role", "images", "masks"}};
  for (const Json& role : info.at("roles")) {
    rows.push_back({role.at("name"), std::to_string(role.at("images").get<std::size_t>()),
                    role.at("masks").get<bool>() ? "yes" : "no"});
  }
  std::cout << text_table(rows) << '\n';
  std::vector<std::vector<std::string>> counts{{"images with class"}};
  for (const Json& role : info.at("roles")) counts.front().push_back(role.at("name"));
  for (const Json& name : info.at("classes")) {
    counts.push_back({name});
    for (const Json& role : info.at("roles")) {
      counts.back().push_back(std::to_string(role.at("images_with_class").value(name.get<std::string>(), 0)));
    }
  }
  std::cout << text_table(counts);
  if (info.at("side").empty()) return;
  std::vector<std::vector<std::string>> side{{"side input", "holds"}};
  for (const Json& input : info.at("side")) {
    side.push_back({input.at("name"), input.at("kind") == "labels" ? "label maps" : "grey maps"});
  }
  std::cout << '\n' << text_table(side);
}

void show_info(const Session& session, const StudyFlags& flags) {
  for (const Json& table : dataset_tables(read_study(session, flags, session.catalogue()))) {
    const Json info = info_json(*dataset::Dataset::open(table, flags.images));
    if (session.json) {
      print_json(info);
    } else {
      print_info(info);
    }
  }
}

void check(Session& session, const StudyFlags& flags) {
  for (const Json& table : dataset_tables(read_study(session, flags, session.catalogue()))) {
    const Json answer = run::ask_worker(run::worker_program(), {{"ask", "datasets_check"}, {"dataset", table}});
    if (!answer.at("problems").empty()) session.status = kExitUserError;
    if (session.json) {
      print_json(answer);
      continue;
    }
    for (const Json& problem : answer.at("problems")) {
      std::cout << fmt::format("{}: {}\n", problem.at("where").get<std::string>(),
                               problem.at("what").get<std::string>());
    }
    std::cout << fmt::format("{} images looked at, {} problems\n", answer.at("images").get<std::int64_t>(),
                             answer.at("problems").size());
  }
}

}  // namespace

void add_datasets_verb(CLI::App& app, const std::shared_ptr<Session>& session) {
  CLI::App* verb = app.add_subcommand("datasets", "Describe or check the data set of a study");
  verb->require_subcommand(1);
  verb->fallthrough();
  const auto add = [&](const char* name, const char* summary, void (*action)(Session&, const StudyFlags&)) {
    CLI::App* sub = verb->add_subcommand(name, summary);
    sub->fallthrough();
    const auto flags = std::make_shared<StudyFlags>();
    add_study_flags(*sub, flags);
    sub->callback([session, flags, action] { action(*session, *flags); });
  };
  add("info", "Classes, roles and images of each class",
      [](Session& s, const StudyFlags& flags) { show_info(s, flags); });
  add("check", "Open every file: missing, truncated, of the wrong size or kind, unknown labels",
      [](Session& s, const StudyFlags& flags) { check(s, flags); });
}

}  // namespace seedbed::cli
