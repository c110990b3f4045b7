#include "stage_requests.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <gtest/gtest.h>

#include "manifest/elf_sections.hpp"
#include "manifest/manifest_json.hpp"
#include "seedbed/fusion_plan.hpp"

namespace seedbed::stages {
namespace fs = std::filesystem;
namespace {

fs::path folder_of(const char* variable) {
  const char* folder = std::getenv(variable);
  return folder == nullptr ? fs::path() : fs::path(folder);
}

MethodBinding binding(const fs::path& library, const std::string& id, const Json& changes) {
  const auto sections = manifest::read_plugin_sections(library);
  const PluginManifest plugin = manifest::plugin_manifest_from_json(sections.manifest, library.string());
  const auto method =
      std::find_if(plugin.methods.begin(), plugin.methods.end(), [&](const auto& m) { return m.id == id; });
  MethodBinding made;
  made.kind = std::string(name_of(method->kind));
  made.id = id;
  made.revision = method->revision;
  made.library = library.string();
  for (const ParameterSpec& spec : method->parameters) {
    made.parameters[spec.name] = Json::parse(manifest::to_json(spec.default_value));
  }
  made.parameters.update(changes);
  return made;
}

}  // namespace

MethodBinding builtin(const std::string& library, const std::string& id, const Json& changes) {
  return binding(folder_of("SEEDBED_BUILTIN_PLUGINS") / ("seedbed_" + library + ".so"), id, changes);
}

MethodBinding fixture(const std::string& library, const std::string& id) {
  return binding(folder_of("SEEDBED_FIXTURE_PLUGINS") / ("seedbed_fixture_" + library + ".so"), id, Json::object());
}

std::vector<std::string> scene_ids(int from, int to) {
  std::vector<std::string> ids;
  for (int index = from; index < to; ++index) {
    char id[32];
    std::snprintf(id, sizeof id, "scene-%05d", index);
    ids.emplace_back(id);
  }
  return ids;
}

std::string key_of(const std::string& name) {
  std::string key = name;
  std::replace(key.begin(), key.end(), ' ', '-');
  key.resize(64, '0');
  return key;
}

StageSpec stage(StageType type, const std::string& operation, const std::string& name,
                std::vector<std::string> image_ids) {
  StageSpec spec;
  spec.key = key_of(name);
  spec.type = type;
  spec.operation = operation;
  spec.node = name;
  spec.role = "measure";
  spec.image_ids = std::move(image_ids);
  return spec;
}

Json train_table(const Json& changes) {
  Json table = Json::parse(R"({
    "optimiser": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": false, "weight_decay": 1e-4,
    "schedule": "poly", "power": 0.9, "warmup_steps": 0, "warmup_ratio": 1e-6, "milestones": [], "gamma": 0.1,
    "epochs": 2, "steps": 0, "batch_size": 4, "drop_last": false, "input": "native", "augment": ["flip"],
    "clip_norm": 0.0, "accumulate": 1, "ema_decay": 0.0, "checkpoint": "last", "checkpoint_every": 0,
    "on_broken_image": "fail", "groups": {}, "terms": {}})");
  table.update(changes);
  return table;
}

StageSpec fit_cam(const Json& train) {
  StageSpec spec = stage(StageType::fit, "seed_generator", "fit cam", scene_ids(0, 12));
  spec.methods = {{"generator", builtin("cam", "cam")},
                  {"backbone", builtin("small_cnn", "small_cnn", {{"width", 8}})}};
  spec.settings = train_table(train);
  spec.random_seed = 0;
  return spec;
}

StageSpec cam_seeds(const std::string& role, int from, int to, bool trained) {
  StageSpec spec = stage(StageType::map, "seeds", "seeds " + role, scene_ids(from, to));
  spec.methods = fit_cam().methods;
  spec.settings = {{"scales", {1.0, 0.5}},
                   {"flip", true},
                   {"fusion", to_strings(named_fusion_plan("irn"))},
                   {"input", "native"},
                   {"labels", "given"}};
  if (trained) spec.inputs = {{"checkpoint", key_of("fit cam")}};
  spec.random_seed = 0;
  return spec;
}

StageSpec refined_by(const MethodBinding& refiner, const StageSpec& maps) {
  StageSpec spec = stage(StageType::map, "refine", refiner.id + " " + maps.node, maps.image_ids);
  spec.methods = {{"refiner", refiner}};
  spec.settings = {{"background", nullptr}};
  spec.inputs = {{"maps", maps.key}};
  return spec;
}

StageSpec pamr_on(const StageSpec& maps) {
  return refined_by(builtin("pamr", "pamr", {{"iterations", 2}, {"dilations", {1, 2}}}), maps);
}

StageSpec labels_of(const StageSpec& maps, const Json& rule) {
  StageSpec spec = stage(StageType::map, "label", "label " + maps.node, maps.image_ids);
  spec.settings = rule;
  spec.inputs = {{"maps", maps.key}};
  return spec;
}

StageSpec score_of(const StageSpec& labels, const Json& rule) {
  StageSpec spec = stage(StageType::score, "labels", "score " + labels.node, labels.image_ids);
  spec.settings = {{"target", "pseudo_labels"}, {"rule", rule}, {"void", "background"}};
  spec.inputs = {{"labels", labels.key}};
  return spec;
}

StageSpec sweep_of(const StageSpec& maps) {
  StageSpec spec = stage(StageType::score, "sweep", "sweep " + maps.node, maps.image_ids);
  spec.settings = {{"target", "seeds"}, {"background", "threshold"}};
  spec.inputs = {{"maps", maps.key}};
  return spec;
}

GroupRequest request(const fs::path& folder, std::vector<StageSpec> stages) {
  GroupRequest made;
  made.group = "test";
  made.stages = std::move(stages);
  made.dataset = {{"kind", "scenes"}, {"height_px", 48}, {"width_px", 48}, {"roles", {{"measure", "0..40"}}}};
  made.artefact_folder = (folder / "artefacts").string();
  return made;
}

void Recorder::progress(std::string_view, std::int64_t done, std::int64_t) {
  if (done == cancel_at) cancel = true;
  if (on_progress) on_progress(done);
}

void Recorder::losses(std::string_view, const std::map<std::string, double>& terms) { losses_told.push_back(terms); }

void Recorder::log(LogLevel, std::string_view message) { log_text += std::string(message) + "\n"; }

const protocol::StageResult& Recorder::of(const StageSpec& spec) const {
  const auto found =
      std::find_if(results.begin(), results.end(), [&](const auto& result) { return result.key == spec.key; });
  if (found == results.end()) throw std::runtime_error("no result of " + spec.key);
  return *found;
}

Recorder run(const GroupRequest& request, Recorder recorder) {
  Session session;
  run_group(request, session, recorder);
  return recorder;
}

double metric(const protocol::StageResult& result, const std::string& name, const std::string& rule,
              const std::string& class_name) {
  for (const protocol::Metric& found : result.metrics) {
    if (found.name == name && found.rule == rule && found.class_name == class_name) return found.value;
  }
  ADD_FAILURE() << "no metric " << name << " " << rule << " " << class_name << ": " << result.message;
  return -1;
}

}  // namespace seedbed::stages
