#include <filesystem>
#include <iostream>
#include <map>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "cli/known_weights.hpp"
#include "cli/text_table.hpp"
#include "cli/verbs.hpp"
#include "digest/file_digests.hpp"
#include "run/ask.hpp"
#include "run/worker_process.hpp"
#include "seedbed/error.hpp"

namespace seedbed::cli {
namespace {

using Json = nlohmann::ordered_json;

struct NeededFile {
  std::set<std::string> wanted_by;
};

void gather_files(const Json& method, std::map<std::string, NeededFile>& files) {
  const Json own_files = method.value("files", Json::object());
  for (const auto& [name, path] : own_files.items()) {
    files[path.get<std::string>()].wanted_by.insert(method.value("method", "") + "." + name);
  }
  const Json uses = method.value("uses", Json::object());
  for (const auto& [slot, used] : uses.items()) gather_files(used, files);
}

// Every METHOD object of a resolved configuration, wherever it stands.
void gather_files_below(const Json& value, std::map<std::string, NeededFile>& files) {
  if (value.is_object() && value.contains("method") && value.contains("kind")) gather_files(value, files);
  if (value.is_structured()) {
    for (const Json& child : value) gather_files_below(child, files);
  }
}

// What is public of a file; whether it is what was published is only told of one that is there.
Json file_json(const std::string& path, const NeededFile& needed, const std::string& sha256) {
  const std::string name = std::filesystem::path(path).filename().string();
  const KnownWeights* known = find_known_weights(name, sha256);
  const std::string expected = expected_digest(name, known);
  const bool can_tell = !sha256.empty() && !expected.empty();
  return {{"file", path},
          {"wanted_by", needed.wanted_by},
          {"present", !sha256.empty()},
          {"sha256", sha256},
          {"public_name", known ? std::string(known->name) : ""},
          {"origin", known ? std::string(known->origin) : ""},
          {"expected_sha256", expected},
          {"as_published", can_tell ? Json(sha256.starts_with(expected)) : Json(nullptr)}};
}

Json files_of(const study::Study& study) {
  std::map<std::string, NeededFile> files;
  for (const study::Cell& cell : study.cells) gather_files_below(cell.resolved, files);
  digest::FileDigests digests;
  Json list = Json::array();
  for (const auto& [path, needed] : files) {
    std::error_code error;
    const bool present = std::filesystem::is_regular_file(path, error);
    list.push_back(file_json(path, needed, present ? digests.of(path) : ""));
  }
  return list;
}

Json worker_report() {
  try {
    return {{"starts", true}, {"environment", run::ask_worker(run::worker_program(), {{"ask", "environment"}})}};
  } catch (const UserError& error) {
    return {{"starts", false}, {"problem", error.what()}, {"hint", error.hint()}};
  } catch (const ContractError& error) {
    return {{"starts", false}, {"problem", error.what()}, {"hint", ""}};
  }
}

std::string as_text(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

void print_file(const Json& file) {
  const bool present = file.at("present").get<bool>();
  std::cout << fmt::format("  {} {}\n", present ? "present" : "MISSING", as_text(file.at("file")));
  for (const Json& by : file.at("wanted_by")) std::cout << "    for " << as_text(by) << '\n';
  if (file.at("origin") != "") {
    std::cout << fmt::format("    public as {}: {}\n", as_text(file.at("public_name")), as_text(file.at("origin")));
  }
  const std::string expected = as_text(file.at("expected_sha256"));
  if (!present) {
    if (!expected.empty()) std::cout << fmt::format("    sha256 begins with {}\n", expected);
    return;
  }
  const Json& as_published = file.at("as_published");
  const std::string verdict = as_published.is_null()     ? ""
                              : as_published.get<bool>() ? ", as published"
                                                         : ", NOT as published: " + expected;
  std::cout << fmt::format("    sha256 {}{}\n", as_text(file.at("sha256")), verdict);
}

void print_report(const Json& report) {
  std::vector<std::vector<std::string>> rows{{"cores", as_text(report.at("cores"))}};
  const Json& worker = report.at("worker");
  rows.push_back({"worker", worker.at("starts").get<bool>() ? "starts" : as_text(worker.at("problem"))});
  if (worker.contains("environment")) {
    for (const auto& [name, value] : worker.at("environment").items()) rows.push_back({"  " + name, as_text(value)});
  }
  rows.push_back({"methods", as_text(report.at("methods"))});
  rows.push_back({"plugins not taken", as_text(report.at("plugins_not_taken"))});
  std::cout << text_table(rows);
  if (!report.contains("files")) return;
  std::cout << "\nfiles that the study needs\n";
  for (const Json& file : report.at("files")) print_file(file);
  if (report.at("files").empty()) std::cout << "  none\n";
}

void examine(Session& session, const StudyFlags& flags) {
  const manifest::Catalogue catalogue = session.catalogue();
  std::size_t not_taken = 0;
  for (const manifest::PluginFile& file : catalogue.files()) not_taken += file.taken ? 0 : 1;
  Json report{{"cores", std::thread::hardware_concurrency()},
              {"worker", worker_report()},
              {"methods", catalogue.methods().size()},
              {"plugins_not_taken", not_taken}};
  bool healthy = report.at("worker").at("starts").get<bool>();
  if (!flags.file.empty()) {
    report["files"] = files_of(read_study(session, flags, catalogue));
    for (const Json& file : report.at("files")) {
      healthy = healthy && file.at("present").get<bool>() && file.at("as_published") != false;
    }
  }
  if (!healthy) session.status = kExitUserError;
  if (session.json) {
    print_json(report);
  } else {
    print_report(report);
  }
}

}  // namespace

void add_doctor_verb(CLI::App& app, const std::shared_ptr<Session>& session) {
  CLI::App* verb = app.add_subcommand("doctor", "Say whether the worker starts, and which files a study needs");
  const auto flags = std::make_shared<StudyFlags>();
  flags->allow_missing_files = true;
  verb->add_option("study", flags->file, "Study file (TOML)");
  verb->add_option("--set", flags->sets, "key=value, over everything else; may be repeated")
      ->allow_extra_args(false)
      ->take_all();
  verb->callback([session, flags] { examine(*session, *flags); });
}

}  // namespace seedbed::cli
