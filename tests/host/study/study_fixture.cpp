#include "study_fixture.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "manifest_tool/plugin_toml.hpp"
#include "seedbed/error.hpp"

namespace seedbed::study {
namespace {

namespace fs = std::filesystem;

ParameterSpec number(std::string name, double value) {
  ParameterSpec spec;
  spec.name = std::move(name);
  spec.type = ParameterType::number;
  spec.default_value = value;
  spec.summary = "A number.";
  return spec;
}

ParameterSpec flag(std::string name) {
  ParameterSpec spec;
  spec.name = std::move(name);
  spec.type = ParameterType::boolean;
  spec.default_value = false;
  spec.summary = "A switch.";
  return spec;
}

ParameterSpec file(std::string name, bool required) {
  ParameterSpec spec;
  spec.name = std::move(name);
  spec.type = ParameterType::file;
  spec.default_value = std::string();
  spec.required = required;
  spec.summary = "A file.";
  return spec;
}

MethodManifest refiner(std::string id, MapType takes, MapType gives) {
  MethodManifest method;
  method.id = std::move(id);
  method.kind = MethodKind::refiner;
  method.summary = "A refiner of the tests.";
  method.licence = "Apache-2.0";
  method.takes = std::move(takes);
  method.gives = std::move(gives);
  return method;
}

MethodManifest crf() {
  MethodManifest method = refiner("toy.crf", {"scores", "present", "any"}, {"scores", "present", "probability"});
  method.parameters = {number("iterations", 10), number("width", 3)};
  method.presets = {{"wide", "Wider.", "paper", {{"width", 9.0}}, {{"background", R"({"rule":"power","alpha":8})"}}}};
  return method;
}

MethodManifest walk() {
  MethodManifest method = refiner("toy.walk", {"scores", "absent", "any"}, {"scores", "same", "same"});
  method.traits = {"trains", "random"};
  method.host_defaults = {{"train", R"({"epochs":3,"batch_size":4})"},
                          {"labels", R"({"rule":"two_thresholds","high":0.3,"low":0.05})"}};
  return method;
}

MethodManifest affinity() {
  MethodManifest method = refiner("toy.affinity", {"scores", "absent", "any"}, {"scores", "same", "same"});
  method.traits = {"trains"};
  method.needs = {"maps", "maps:low", "labels:sure"};
  method.host_defaults = {
      {"train", R"({"epochs":3})"},
      {"companions", R"({"low":{"refiners":[{"method":"toy.crf","background":{"rule":"power","alpha":4}}]}})"}};
  return method;
}

MethodManifest relabel() { return refiner("toy.relabel", {"labels", "any", "any"}, {"labels", "present", "any"}); }

// Trained on two views; only `twin` brings the second along.
MethodManifest two_views(std::string id, bool brings_it) {
  MethodManifest method = refiner(std::move(id), {"scores", "absent", "any"}, {"scores", "same", "same"});
  method.traits = {"trains"};
  method.needs = {"view:second"};
  if (brings_it) method.host_defaults = {{"train", R"({"views":{"second":{"augment":["flip:1"]}}})"}};
  return method;
}

MethodManifest pairs() {
  MethodManifest method = refiner("toy.pairs", {"scores", "any", "any"}, {"scores", "same", "same"});
  method.traits = {"trains"};
  method.needs = {"stream:unlabelled"};
  return method;
}

MethodManifest watershed() {
  MethodManifest method = refiner("toy.watershed", {"scores", "any", "any"}, {"labels", "present", "any"});
  method.parameters = {file("priors", false), file("model", true)};
  return method;
}

MethodManifest adapter() {
  MethodManifest method;
  method.id = "toy.adapter";
  method.kind = MethodKind::seed_generator;
  method.summary = "A generator that is trained on request.";
  method.licence = "Apache-2.0";
  method.needs = {"attention"};
  method.gives = {"scores", "absent", "evidence"};
  method.parameters = {number("delta", 0.5), flag("adapt")};
  method.when = {{"adapt", {true}, {"trains", "random"}, {}}};
  method.backbone_defaults = {{"tokens", std::int64_t{4}}};
  method.uses = {{"label_refiner", MethodKind::refiner, "pamr", "Refines labels."},
                 {"second_backbone", MethodKind::backbone, "", "Another network."}};
  method.presets = {{"soft",
                     "Softer.",
                     "",
                     {{"delta", 0.25}, {"adapt", true}},
                     {{"train", R"({"epochs":2})"}, {"localise", R"({"scales":[0.5,1.0],"fusion":"irn"})"}}}};
  method.host_defaults = {{"train", R"({"steps":50,"learning_rate":0.5})"}};
  return method;
}

MethodManifest transformer() {
  MethodManifest method;
  method.id = "toy.transformer";
  method.kind = MethodKind::backbone;
  method.summary = "A backbone with attention.";
  method.licence = "Apache-2.0";
  method.provides = {"attention", "taps:final"};
  ParameterSpec tokens;
  tokens.name = "tokens";
  tokens.type = ParameterType::integer;
  tokens.default_value = std::int64_t{1};
  tokens.summary = "Class tokens.";
  method.parameters = {tokens};
  return method;
}

}  // namespace

std::vector<PluginManifest> builtin_manifests() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(SEEDBED_TREE) / "plugins")) {
    if (entry.path().filename() == "plugin.toml") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  std::vector<PluginManifest> manifests;
  for (const fs::path& path : files) {
    std::ifstream stream(path);
    const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    manifests.push_back(manifest_tool::plugin_manifest_from_toml(text, path.string()));
  }
  return manifests;
}

PluginManifest toy_manifest() {
  PluginManifest plugin;
  plugin.name = "toy";
  plugin.version = "1.0.0";
  plugin.vendor = "toy";
  plugin.methods = {crf(),
                    walk(),
                    pairs(),
                    affinity(),
                    relabel(),
                    two_views("toy.twin", true),
                    two_views("toy.lone", false),
                    watershed(),
                    adapter(),
                    transformer()};
  return plugin;
}

const manifest::Catalogue& test_catalogue() {
  static const manifest::Catalogue catalogue = [] {
    std::vector<PluginManifest> all = builtin_manifests();
    all.push_back(toy_manifest());
    return manifest::Catalogue::of(std::move(all));
  }();
  return catalogue;
}

Study StudyTest::read(std::string_view text, const std::vector<std::string>& sets) const {
  return read_study(folder_.write("study.toml", text), test_catalogue(), {.sets = sets});
}

Study StudyTest::read_with_base(std::string_view text, const std::vector<std::string>& sets) const {
  return read(std::string(kBase) + std::string(text), sets);
}

Json StudyTest::only_cell(std::string_view text, const std::vector<std::string>& sets) const {
  Study study = read_with_base(text, sets);
  EXPECT_EQ(study.cells.size(), 1u);
  return study.cells.at(0).resolved;
}

std::string StudyTest::errors_of(std::string_view text, const std::vector<std::string>& sets) const {
  try {
    read_with_base(text, sets);
    return {};
  } catch (const UserError& error) {
    return error.what();
  }
}

std::string levels_of(const Cell& cell) {
  std::string text;
  for (const auto& [axis, label] : cell.levels) text += (text.empty() ? "" : ", ") + axis + " = " + label;
  return text;
}

}  // namespace seedbed::study
