#include "worker/asks.hpp"

#include <map>
#include <string>

#include <ATen/ATen.h>

#include "evaluation/evaluate.hpp"
#include "images/check_dataset.hpp"
#include "seedbed/error.hpp"
#include "stages/export_labels.hpp"
#include "worker/environment.hpp"
#include "worker/weights_answers.hpp"

namespace seedbed::worker {
namespace {

using protocol::Json;

Json check_dataset(const Json& request, plugin::Registry&) {
  std::int64_t images = 0;
  const auto progress = [&](std::int64_t, std::int64_t total) { images = total; };
  Json problems = Json::array();
  for (const images::Finding& finding : images::check_dataset_table(request.at("dataset"), progress)) {
    problems.push_back({{"where", finding.where}, {"what", finding.problem}});
  }
  return {{"images", images}, {"problems", problems}};
}

Json load_plugin(const Json& request, plugin::Registry& registry) {
  const std::string library = request.at("library").get<std::string>();
  registry.load(library);
  const std::filesystem::path path = std::filesystem::canonical(library);
  Json methods = Json::array();
  for (const plugin::RegisteredMethod* method : registry.methods()) {
    if (method->library != path) continue;
    methods.push_back({{"kind", name_of(method->manifest.kind)},
                       {"id", method->manifest.id},
                       {"revision", method->manifest.revision}});
  }
  return {{"methods", methods}, {"warnings", registry.warnings()}};
}

Json export_labels(const Json& request, plugin::Registry&) {
  const stages::ExportedLabels exported = stages::export_labels(
      request.at("artefacts").get<std::string>(), request.at("key").get<std::string>(),
      request.at("to").get<std::string>(), stages::confidence_file_from(request.value("confidence", "none")));
  return {{"images", exported.images}, {"confidences", exported.confidences}};
}

Json describe_environment(const Json&, plugin::Registry&) { return environment(); }

Json evaluate_folders(const Json& request, const AskProgress& progress) {
  return evaluation::evaluate(evaluation::settings_from(request), progress);
}

const std::map<std::string, Json (*)(const Json&, plugin::Registry&)> kAnswers{
    {"environment", describe_environment}, {"datasets_check", check_dataset},    {"labels_export", export_labels},
    {"weights_info", weights_info},        {"weights_convert", weights_convert}, {"weights_check", weights_check},
    {"plugins_load", load_plugin}};

}  // namespace

Json answer(const Json& request, plugin::Registry& registry, const AskProgress& progress) {
  const std::string ask = request.value("ask", "");
  if (ask == "evaluate") return evaluate_folders(request, progress);
  const auto found = kAnswers.find(ask);
  if (found != kAnswers.end()) return found->second(request, registry);
  std::vector<std::string> known{"evaluate"};
  for (const auto& [name, ignored] : kAnswers) known.push_back(name);
  throw UserError("", "The worker does not know the question: `" + ask + "`.",
                  "did you mean `" + nearest_name(ask, known) + "`?");
}

}  // namespace seedbed::worker
