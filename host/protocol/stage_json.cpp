#include <string>

#include "protocol/stage.hpp"
#include "seedbed/error.hpp"

namespace seedbed::protocol {
namespace {

// A missing or wrongly typed member is the other program's fault, never a person's.
template <typename T>
T member(const Json& json, const char* name) {
  try {
    return json.at(name).get<T>();
  } catch (const Json::exception& error) {
    throw ContractError("protocol", std::string("a message has a well-formed member `") + name + "`", "the member",
                        error.what());
  }
}

template <typename T>
std::optional<T> optional_member(const Json& json, const char* name) {
  if (!json.contains(name) || json.at(name).is_null()) return std::nullopt;
  return member<T>(json, name);
}

template <typename T>
Json nullable(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

}  // namespace

void to_json(Json& json, const RoleImages& value) { json = {{"role", value.role}, {"image_ids", value.image_ids}}; }
void from_json(const Json& json, RoleImages& value) {
  value.role = member<std::string>(json, "role");
  value.image_ids = member<std::vector<std::string>>(json, "image_ids");
}

void to_json(Json& json, const StageInput& value) { json = {{"name", value.name}, {"key", value.key}}; }
void from_json(const Json& json, StageInput& value) {
  value.name = member<std::string>(json, "name");
  value.key = member<std::string>(json, "key");
}

void to_json(Json& json, const MethodBinding& value) {
  json = Json{{"kind", value.kind},
              {"id", value.id},
              {"revision", value.revision},
              {"library", value.library},
              {"library_digest", value.library_digest},
              {"parameters", value.parameters},
              {"files", value.files},
              {"input_nodes", value.input_nodes},
              {"strict", value.strict},
              {"uses", Json::object()}};
  for (const auto& [slot, used] : value.uses) json["uses"][slot] = used;
}

void from_json(const Json& json, MethodBinding& value) {
  value.kind = member<std::string>(json, "kind");
  value.id = member<std::string>(json, "id");
  value.revision = member<std::int64_t>(json, "revision");
  value.library = member<std::string>(json, "library");
  value.library_digest = member<std::string>(json, "library_digest");
  value.parameters = member<Json>(json, "parameters");
  value.files = member<std::map<std::string, std::string>>(json, "files");
  value.input_nodes = member<std::map<std::string, std::string>>(json, "input_nodes");
  value.strict = member<bool>(json, "strict");
  value.uses.clear();
  const Json uses = member<Json>(json, "uses");
  for (const auto& [slot, used] : uses.items()) value.uses[slot] = used.get<MethodBinding>();
}

void to_json(Json& json, const StageSpec& value) {
  json = Json{{"key", value.key},
              {"type", name_of(value.type)},
              {"operation", value.operation},
              {"node", value.node},
              {"role", value.role},
              {"image_ids", value.image_ids},
              {"other_images", Json::object()},
              {"methods", Json::object()},
              {"settings", value.settings},
              {"inputs", Json::array()},
              {"random_seed", nullable(value.random_seed)},
              {"keep", value.keep}};
  for (const auto& [what, images] : value.other_images) json["other_images"][what] = images;
  for (const auto& [slot, binding] : value.methods) json["methods"][slot] = binding;
  for (const StageInput& input : value.inputs) json["inputs"].push_back(input);
}

void from_json(const Json& json, StageSpec& value) {
  value.key = member<std::string>(json, "key");
  value.type = stage_type_from(member<std::string>(json, "type"));
  value.operation = member<std::string>(json, "operation");
  value.node = member<std::string>(json, "node");
  value.role = member<std::string>(json, "role");
  value.image_ids = member<std::vector<std::string>>(json, "image_ids");
  value.other_images.clear();
  const Json others = member<Json>(json, "other_images");
  for (const auto& [what, images] : others.items()) value.other_images[what] = images.get<RoleImages>();
  value.methods.clear();
  const Json methods = member<Json>(json, "methods");
  for (const auto& [slot, binding] : methods.items()) value.methods[slot] = binding.get<MethodBinding>();
  value.settings = member<Json>(json, "settings");
  value.inputs = member<std::vector<StageInput>>(json, "inputs");
  value.random_seed = optional_member<std::int64_t>(json, "random_seed");
  value.keep = member<bool>(json, "keep");
}

void to_json(Json& json, const GroupRequest& value) {
  json = Json{{"version", value.version},
              {"group", value.group},
              {"stages", Json::array()},
              {"dataset", value.dataset},
              {"artefact_folder", value.artefact_folder},
              {"inbox_folder", value.inbox_folder},
              {"log_file", value.log_file},
              {"device", value.device},
              {"threads", value.threads},
              {"deterministic", value.deterministic},
              {"memory_limit_bytes", value.memory_limit_bytes},
              {"attempts", value.attempts}};
  for (const StageSpec& stage : value.stages) json["stages"].push_back(stage);
}

void from_json(const Json& json, GroupRequest& value) {
  value.version = member<std::int64_t>(json, "version");
  if (value.version != kProtocolVersion) {
    throw ContractError("protocol", "both programs speak one version", std::to_string(kProtocolVersion),
                        std::to_string(value.version));
  }
  value.group = member<std::string>(json, "group");
  value.stages = member<std::vector<StageSpec>>(json, "stages");
  value.dataset = member<Json>(json, "dataset");
  value.artefact_folder = member<std::string>(json, "artefact_folder");
  value.inbox_folder = member<std::string>(json, "inbox_folder");
  value.log_file = member<std::string>(json, "log_file");
  value.device = member<std::string>(json, "device");
  value.threads = member<std::int64_t>(json, "threads");
  value.deterministic = member<bool>(json, "deterministic");
  value.memory_limit_bytes = member<std::int64_t>(json, "memory_limit_bytes");
  value.attempts = member<std::map<std::string, std::int64_t>>(json, "attempts");
}

void to_json(Json& json, const Metric& value) {
  json = Json{{"name", value.name},
              {"class", value.class_name},
              {"value", value.value},
              {"unit", value.unit},
              {"target", value.target},
              {"rule", value.rule},
              {"rule_value", nullable(value.rule_value)}};
}

void from_json(const Json& json, Metric& value) {
  value.name = member<std::string>(json, "name");
  value.class_name = member<std::string>(json, "class");
  value.value = member<double>(json, "value");
  value.unit = member<std::string>(json, "unit");
  value.target = member<std::string>(json, "target");
  value.rule = member<std::string>(json, "rule");
  value.rule_value = optional_member<double>(json, "rule_value");
}

void to_json(Json& json, const Curve& value) {
  json = Json{{"name", value.name}, {"x_name", value.x_name}, {"target", value.target}, {"x", value.x}, {"y", value.y}};
}

void from_json(const Json& json, Curve& value) {
  value.name = member<std::string>(json, "name");
  value.x_name = member<std::string>(json, "x_name");
  value.target = member<std::string>(json, "target");
  value.x = member<std::vector<double>>(json, "x");
  value.y = member<std::vector<double>>(json, "y");
}

void to_json(Json& json, const LedgerEntry& value) {
  json = Json{{"kind", value.kind},
              {"role", value.role},
              {"purpose", value.purpose},
              {"images", value.images},
              {"opens", value.opens}};
}

void from_json(const Json& json, LedgerEntry& value) {
  value.kind = member<std::string>(json, "kind");
  value.role = member<std::string>(json, "role");
  value.purpose = member<std::string>(json, "purpose");
  value.images = member<std::int64_t>(json, "images");
  value.opens = member<std::int64_t>(json, "opens");
}

void to_json(Json& json, const ArtefactFile& value) {
  json = Json{{"name", value.name}, {"path", value.path}, {"digest", value.digest}, {"bytes", value.bytes}};
}

void from_json(const Json& json, ArtefactFile& value) {
  value.name = member<std::string>(json, "name");
  value.path = member<std::string>(json, "path");
  value.digest = member<std::string>(json, "digest");
  value.bytes = member<std::int64_t>(json, "bytes");
}

void to_json(Json& json, const StageResult& value) {
  json = Json{{"version", value.version},      {"key", value.key},
              {"state", name_of(value.state)}, {"cause", name_of(value.cause)},
              {"message", value.message},      {"hint", value.hint},
              {"metrics", value.metrics},      {"curves", value.curves},
              {"ledger", value.ledger},        {"artefacts", value.artefacts},
              {"facts", value.facts},          {"environment", value.environment},
              {"seconds", value.seconds},      {"peak_memory_bytes", value.peak_memory_bytes},
              {"attempt", value.attempt}};
}

void from_json(const Json& json, StageResult& value) {
  value.version = member<std::int64_t>(json, "version");
  value.key = member<std::string>(json, "key");
  value.state = stage_state_from(member<std::string>(json, "state"));
  value.cause = cause_from(member<std::string>(json, "cause"));
  value.message = member<std::string>(json, "message");
  value.hint = member<std::string>(json, "hint");
  value.metrics = member<std::vector<Metric>>(json, "metrics");
  value.curves = member<std::vector<Curve>>(json, "curves");
  value.ledger = member<std::vector<LedgerEntry>>(json, "ledger");
  value.artefacts = member<std::vector<ArtefactFile>>(json, "artefacts");
  value.facts = member<Json>(json, "facts");
  value.environment = member<Json>(json, "environment");
  value.seconds = member<double>(json, "seconds");
  value.peak_memory_bytes = member<std::int64_t>(json, "peak_memory_bytes");
  value.attempt = member<std::int64_t>(json, "attempt");
}

}  // namespace seedbed::protocol
