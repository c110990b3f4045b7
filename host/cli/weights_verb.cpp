#include <filesystem>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/text_table.hpp"
#include "cli/verbs.hpp"
#include "plan/bindings.hpp"
#include "run/ask.hpp"
#include "run/worker_process.hpp"
#include "study/compose.hpp"
#include "study/resolve_method.hpp"

namespace seedbed::cli {
namespace {

using Json = nlohmann::ordered_json;

struct WeightsFlags {
  std::string file;
  std::string to;
  std::string backbone;
  std::string set;
  std::vector<std::string> parameters;
  bool widen = false;
};

Json ask(const std::string& question, const WeightsFlags& flags, const Json& more = Json::object()) {
  Json request{{"ask", question}, {"file", std::filesystem::absolute(flags.file).string()}, {"set", flags.set}};
  request.update(more);
  return run::ask_worker(run::worker_program(), request);
}

std::string text(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

void print_found(const std::string& file, const Json& found) {
  std::cout << fmt::format("{}: {}\n", file, text(found.at("format")));
  if (!found.at("set").empty() && found.at("set") != "")
    std::cout << fmt::format("set of tensors: {}\n", text(found.at("set")));
  if (found.at("wrapper") != "") std::cout << fmt::format("taken off every name: {}\n", text(found.at("wrapper")));
  for (const Json& other : found.at("other_sets")) {
    std::cout << fmt::format("not taken: {} ({} tensors)\n", text(other.at("name")), text(other.at("tensors")));
  }
  if (found.at("other_entries").empty()) return;
  std::cout << "without tensors:";
  for (const Json& entry : found.at("other_entries")) std::cout << ' ' << text(entry);
  std::cout << '\n';
}

void show_info(Session& session, const WeightsFlags& flags) {
  const Json answer = ask("weights_info", flags);
  if (session.json) return print_json(answer);
  print_found(flags.file, answer);
  std::int64_t values = 0;
  std::vector<std::vector<std::string>> rows{{"tensor", "type", "shape"}};
  for (const Json& tensor : answer.at("tensors")) {
    rows.push_back({text(tensor.at("name")), text(tensor.at("dtype")), text(tensor.at("shape"))});
    std::int64_t count = 1;
    for (const Json& size : tensor.at("shape")) count *= size.get<std::int64_t>();
    values += count;
  }
  std::cout << fmt::format("{} tensors, {} values, {} checksums right\n\n{}", answer.at("tensors").size(), values,
                           text(answer.at("checksums")), text_table(rows));
}

void convert(Session& session, const WeightsFlags& flags) {
  const Json answer =
      ask("weights_convert", flags, {{"to", std::filesystem::absolute(flags.to).string()}, {"widen", flags.widen}});
  if (session.json) return print_json(answer);
  print_found(flags.file, answer);
  std::cout << fmt::format("{}: {} tensors, {} bytes\n", flags.to, text(answer.at("tensors")),
                           text(answer.at("bytes")));
}

// The backbone as a study would have it that says `method` and these parameters and nothing else.
Json backbone_binding(const Session& session, const WeightsFlags& flags) {
  const manifest::Catalogue catalogue = session.catalogue();
  study::Findings findings;
  study::Table table = study::combined_sets(flags.parameters, findings);
  study::assign(table, {"method", {}, {flags.backbone, {}}});
  const study::MethodReader reader(catalogue, findings, true);
  const auto choice = reader.read_alone({std::move(table), {}}, "backbone", MethodKind::backbone);
  findings.throw_if_any();
  plan::ContentDigests digests;
  return plan::Bindings(catalogue, digests).bind(choice->json);
}

void print_names(const char* heading, const char* beside, const Json& list) {
  if (list.empty()) return;
  std::vector<std::vector<std::string>> rows{{heading, "shape", beside}};
  for (const Json& entry : list) {
    const Json& shape = entry.at("shape");
    rows.push_back({text(entry.at("name")), shape.is_null() ? "" : text(shape), text(entry.at("nearest"))});
  }
  std::cout << '\n' << text_table(rows);
}

void check(Session& session, const WeightsFlags& flags) {
  const Json answer = ask("weights_check", flags, {{"backbone", backbone_binding(session, flags)}});
  const std::string problem = text(answer.at("problem"));
  if (!problem.empty()) session.status = kExitUserError;
  if (session.json) return print_json(answer);
  print_found(flags.file, answer);
  print_names("missing in the file", "perhaps there as", answer.at("missing"));
  print_names("without a place in the backbone", "perhaps its", answer.at("extra"));
  if (!answer.at("misshapen").empty()) std::cout << "\nof another shape\n";
  for (const Json& sentence : answer.at("misshapen")) std::cout << text(sentence) << '\n';
  std::cout << fmt::format("\n{}\n", problem.empty() ? "The weights fit." : "The weights do not fit.");
}

}  // namespace

void add_weights_verb(CLI::App& app, const std::shared_ptr<Session>& session) {
  CLI::App* verb = app.add_subcommand("weights", "Look into weights files, convert them, compare them with a backbone");
  verb->require_subcommand(1);
  verb->fallthrough();
  const auto flags = std::make_shared<WeightsFlags>();
  const auto add = [&](const char* name, const char* summary, void (*action)(Session&, const WeightsFlags&)) {
    CLI::App* sub = verb->add_subcommand(name, summary);
    sub->fallthrough();
    sub->add_option("--of", flags->set, "Which set of tensors, where a file holds several (\"model_ema\")");
    sub->callback([session, flags, action] { action(*session, *flags); });
    return sub;
  };
  CLI::App* info = add("info", "Format, names, types and shapes", show_info);
  info->add_option("file", flags->file, "Weights file")->required();

  CLI::App* converting = add("convert", "Write the tensors as safetensors", convert);
  converting->add_option("file", flags->file, "Weights file")->required();
  converting->add_option("to", flags->to, "File to write")->required();
  converting->add_flag("--float32", flags->widen, "Widen half precision");

  CLI::App* checking = add("check", "Missing, left over and misshapen names, side by side", check);
  checking->add_option("backbone", flags->backbone, "Backbone (`seedbed plugins list`)")->required();
  checking->add_option("file", flags->file, "Weights file")->required();
  checking->add_option("--set", flags->parameters, "parameter=value of the backbone; may be repeated")
      ->allow_extra_args(false)
      ->take_all();
}

}  // namespace seedbed::cli
