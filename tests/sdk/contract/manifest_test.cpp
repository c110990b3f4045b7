#include "seedbed/manifest.hpp"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace seedbed {
namespace {

using testing::HasSubstr;

ParameterSpec number(std::string name, double default_value) {
  ParameterSpec spec;
  spec.name = std::move(name);
  spec.summary = "A number.";
  spec.default_value = default_value;
  return spec;
}

PluginManifest fine_plugin() {
  PluginManifest plugin;
  plugin.name = "pamr";
  plugin.version = "1.0.0";
  MethodManifest method;
  method.id = "pamr";
  method.summary = "Refines.";
  method.licence = "Apache-2.0";
  method.parameters = {number("alpha", 0.5)};
  plugin.methods = {method};
  return plugin;
}

// What is wrong once `change` has been made to a plugin without fault: "key: sentence".
std::string problem_after(const std::function<void(PluginManifest&, MethodManifest&)>& change) {
  PluginManifest plugin = fine_plugin();
  change(plugin, plugin.methods[0]);
  const auto problems = manifest_problems(plugin);
  if (problems.size() != 1) return std::to_string(problems.size()) + " problems";
  return problems[0].key + ": " + problems[0].sentence;
}

TEST(MethodKind, NamesGoBothWays) {
  EXPECT_EQ(all_method_kinds().size(), 6u);
  for (const MethodKind kind : all_method_kinds()) EXPECT_EQ(method_kind_from(name_of(kind)), kind);
  EXPECT_FALSE(method_kind_from("metric"));
}

TEST(IsValidId, KnowsPlainAndVendoredIds) {
  for (const char* id : {"cam", "dense_crf", "acme.flood_fill", "a1.b2"}) EXPECT_TRUE(is_valid_id(id)) << id;
  for (const char* id : {"", "Cam", "1cam", "_cam", "a b", "a.", ".a", "a.b.c", "a-b", "a._b", "a/b"}) {
    EXPECT_FALSE(is_valid_id(id)) << id;
  }
}

TEST(TraitsFor, AppliesConditionsInOrder) {
  MethodManifest method = fine_plugin().methods[0];
  method.traits = {"batched"};
  method.when = {{"alpha", {0.5}, {"trains"}, {"batched"}}, {"alpha", {std::int64_t{1}}, {"random"}, {}}};
  EXPECT_THAT(method.traits_for({{"alpha", 0.5}}), testing::ElementsAre("trains"));
  EXPECT_THAT(method.traits_for({{"alpha", 1.0}}), testing::ElementsAre("batched", "random"));
  EXPECT_THAT(method.traits_for({}), testing::ElementsAre("batched"));
  EXPECT_TRUE(method.has_trait("trains", {{"alpha", 0.5}}));
  EXPECT_FALSE(method.has_trait("random", {{"alpha", 0.5}}));
}

TEST(MethodManifest, FindsByName) {
  MethodManifest method = fine_plugin().methods[0];
  method.presets = {{"paper", "s", "paper", {}, {}}};
  method.uses = {{"head", MethodKind::segmentation_head, "linear", "s"}};
  EXPECT_EQ(method.find_parameter("alpha"), &method.parameters[0]);
  EXPECT_EQ(method.find_preset("paper"), &method.presets[0]);
  EXPECT_EQ(method.find_slot("head"), &method.uses[0]);
  EXPECT_EQ(method.find_parameter("beta"), nullptr);
  EXPECT_EQ(method.find_preset("beta"), nullptr);
  EXPECT_EQ(method.find_slot("beta"), nullptr);
}

TEST(ManifestProblems, NoneInAFinePlugin) { EXPECT_TRUE(manifest_problems(fine_plugin()).empty()); }

TEST(ManifestProblems, OfThePlugin) {
  EXPECT_THAT(problem_after([](auto& p, auto&) { p.name = "My Plugin"; }), HasSubstr("plugin.name: "));
  EXPECT_THAT(problem_after([](auto& p, auto&) { p.version = ""; }), HasSubstr("plugin.version: "));
  EXPECT_THAT(problem_after([](auto& p, auto&) { p.methods.clear(); }), HasSubstr("at least one [[method]]"));
  EXPECT_THAT(problem_after([](auto& p, auto& m) { p.methods.push_back(MethodManifest(m)); }),
              HasSubstr("method.1.id: `pamr`: the library declares this refiner twice"));
}

TEST(ManifestProblems, PlainIdsBelongToBuiltIns) {
  EXPECT_THAT(problem_after([](auto& p, auto&) { p.vendor = "acme"; }), HasSubstr("accepted: `acme.pamr`"));
  EXPECT_THAT(problem_after([](auto& p, auto& m) { p.vendor = "acme", m.id = "other.pamr"; }),
              HasSubstr("accepted: `acme.pamr`"));
  EXPECT_THAT(problem_after([](auto&, auto& m) { m.id = "acme.pamr"; }), HasSubstr("`vendor = \"acme\"`"));
  EXPECT_THAT(problem_after([](auto&, auto& m) { m.id = "Pamr"; }), HasSubstr("an id cannot be `Pamr`"));
  PluginManifest vendored = fine_plugin();
  vendored.vendor = "acme";
  vendored.methods[0].id = "acme.pamr";
  EXPECT_TRUE(manifest_problems(vendored).empty());
}

TEST(ManifestProblems, OfAMethod) {
  EXPECT_THAT(problem_after([](auto&, auto& m) { m.revision = 0; }), HasSubstr("method.0.revision: `pamr`: "));
  EXPECT_THAT(problem_after([](auto&, auto& m) { m.summary = "two\nlines"; }), HasSubstr("summary of one line"));
  EXPECT_THAT(problem_after([](auto&, auto& m) { m.licence = ""; }), HasSubstr("SPDX"));
  EXPECT_THAT(problem_after([](auto&, auto& m) { m.bytes_per_image = -1; }), HasSubstr("0 or more"));
  EXPECT_THAT(problem_after([](auto&, auto& m) { m.traits = {"trans"}; }), HasSubstr("(nearest: `trains`)"));
  EXPECT_THAT(problem_after([](auto&, auto& m) { m.supervision.labels = {"mask"}; }), HasSubstr("(nearest: `masks`)"));
  EXPECT_THAT(problem_after([](auto&, auto& m) { m.needs = {"taps:"}; }), HasSubstr("method.0.needs: "));
  EXPECT_THAT(problem_after([](auto&, auto& m) { m.provides = {"side affinity"}; }), HasSubstr("method.0.provides: "));
  EXPECT_THAT(problem_after([](auto&, auto& m) { m.takes.form = "maps"; }), HasSubstr("method.0.takes.form: "));
  EXPECT_THAT(problem_after([](auto&, auto& m) { m.takes.background = "same"; }),
              HasSubstr("`any`, `absent`, `present`"));
  EXPECT_THAT(problem_after([](auto&, auto& m) { m.gives.value = "logits"; }), HasSubstr("`same`, `evidence`"));
  EXPECT_THAT(problem_after([](auto&, auto& m) { m.host_defaults["trian"] = "{}"; }), HasSubstr("(nearest: `train`)"));
}

TEST(ManifestProblems, OfAParameter) {
  const auto with = [](const std::function<void(ParameterSpec&)>& change) {
    return problem_after([&](auto&, auto& m) { change(m.parameters[0]); });
  };
  EXPECT_THAT(with([](auto& p) { p.name = "Alpha"; }), HasSubstr("unusable name"));
  EXPECT_THAT(with([](auto& p) { p.name = "train"; }), HasSubstr("belongs to the host"));
  EXPECT_THAT(with([](auto& p) { p.name = "template"; }), HasSubstr("C++ reserves"));
  EXPECT_THAT(with([](auto& p) { p.summary = ""; }), HasSubstr("method.0.parameters.alpha.summary: "));
  EXPECT_THAT(with([](auto& p) { p.maximum = 0.25; }), HasSubstr("alpha.default: `pamr`: the default"));
  EXPECT_THAT(with([](auto& p) { p.default_value = std::string("a"); }), HasSubstr("accepted: a number"));
  EXPECT_THAT(with([](auto& p) { p.choices = {"a"}; }), HasSubstr("only texts have choices"));
  EXPECT_THAT(with([](auto& p) { p.minimum_size = 1; }), HasSubstr("only lists"));
  EXPECT_THAT(with([](auto& p) { p.required = true; }), HasSubstr("only a file may be required"));
  EXPECT_THAT(with([](auto& p) { p.minimum = 2, p.maximum = 1, p.required = false, p.default_value = 1.5; }),
              HasSubstr("2 problems"));  // the bounds, and a default that cannot fit
  EXPECT_THAT(with([](auto& p) { p.type = ParameterType::boolean, p.default_value = true, p.minimum = 0; }),
              HasSubstr("only numbers have a minimum"));
  EXPECT_THAT(problem_after([](auto&, auto& m) { m.parameters.push_back(number("alpha", 1)); }),
              HasSubstr("declared twice"));
}

TEST(ManifestProblems, OfPresetsSlotsAndConditions) {
  const auto with_preset = [](Preset preset) { return problem_after([&](auto&, auto& m) { m.presets = {preset}; }); };
  EXPECT_THAT(with_preset({"a", "s", "", {{"alfa", 1.0}}, {}}), HasSubstr("(nearest: `alpha`)"));
  EXPECT_THAT(with_preset({"a", "s", "", {{"alpha", true}}, {}}), HasSubstr("presets.a.parameters.alpha: "));
  EXPECT_THAT(with_preset({"a", "s", "papers", {}, {}}), HasSubstr("(nearest: `paper`)"));
  EXPECT_THAT(with_preset({"a", "s", "", {}, {{"loss", "{}"}}}), HasSubstr("unknown host table"));
  EXPECT_THAT(with_preset({"a", "", "", {}, {}}), HasSubstr("summary"));
  EXPECT_THAT(with_preset({"A", "s", "", {}, {}}), HasSubstr("unusable name"));

  const auto with_slot = [](UsesSlot slot) { return problem_after([&](auto&, auto& m) { m.uses = {slot}; }); };
  EXPECT_THAT(with_slot({"Head", MethodKind::refiner, "", "s"}), HasSubstr("unusable name"));
  EXPECT_THAT(with_slot({"head", MethodKind::refiner, "No id", "s"}), HasSubstr("no method id"));
  EXPECT_THAT(with_slot({"head", MethodKind::refiner, "par", ""}), HasSubstr("summary"));

  const auto with_condition = [](ConditionalTraits condition) {
    return problem_after([&](auto&, auto& m) { m.when = {condition}; });
  };
  EXPECT_THAT(with_condition({"beta", {1.0}, {}, {}}), HasSubstr("unknown parameter `beta`"));
  EXPECT_THAT(with_condition({"alpha", {}, {}, {}}), HasSubstr("at least one value"));
  EXPECT_THAT(with_condition({"alpha", {true}, {}, {}}), HasSubstr("can never hold"));
  EXPECT_THAT(with_condition({"alpha", {1.0}, {"train"}, {}}), HasSubstr("add_traits"));
  EXPECT_THAT(with_condition({"alpha", {1.0}, {}, {"train"}}), HasSubstr("remove_traits"));
}

TEST(Fingerprint, DifferencesAreToldFieldByField) {
  Fingerprint host;
  host.torch_version = "2.11.0";
  host.compiler = "gnu";
  EXPECT_TRUE(fingerprint_differences(host, host).empty());
  for (const FingerprintField& field : fingerprint_fields()) {
    Fingerprint plugin = host;
    plugin.*field.member = "other";
    const auto differences = fingerprint_differences(plugin, host);
    ASSERT_EQ(differences.size(), 1u) << field.name;
    EXPECT_EQ(differences[0].field, field.name);
    EXPECT_EQ(differences[0].plugin_value, "other");
    EXPECT_EQ(differences[0].host_value, host.*field.member);
  }
}

}  // namespace
}  // namespace seedbed
