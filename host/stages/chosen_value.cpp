#include "stages/chosen_value.hpp"

#include <fstream>
#include <iterator>

#include <nlohmann/json.hpp>

#include "protocol/artefact_paths.hpp"
#include "seedbed/error.hpp"

namespace seedbed::stages {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

fs::path write_chosen_value(const fs::path& folder, const ChosenValue& chosen) {
  const Json json{{"value", chosen.value},
                  {"metric", chosen.metric},
                  {"metric_value", chosen.metric_value},
                  {"curve", {{"name", chosen.curve_name}, {"x", chosen.x}, {"y", chosen.y}}}};
  const fs::path file = folder / "value.json";
  protocol::write_durably(file, json.dump(1) + "\n");
  return file;
}

double read_chosen_value(const fs::path& artefact_folder, std::string_view key) {
  const fs::path file = artefact_folder / protocol::stage_folder(key) / "value.json";
  std::ifstream stream(file);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("value") || !json.at("value").is_number()) {
    throw UserError(file.string(), "The chosen value of an earlier stage is missing or damaged.",
                    "run the study again: it will be chosen");
  }
  return json.at("value").get<double>();
}

}  // namespace seedbed::stages
