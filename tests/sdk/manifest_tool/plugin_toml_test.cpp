#include "manifest_tool/plugin_toml.hpp"

#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "seedbed/error.hpp"

namespace seedbed::manifest_tool {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kPlugin = "schema = 1\n[plugin]\nname = 'p'\nversion = '1'\n";
constexpr const char* kMethod =
    "[[method]]\nid = 'm'\nkind = 'refiner'\nsummary = 's'\nlicence = 'MIT'\nsupervision = {}\n";

// Everything that is wrong, one line an error: "line:column: message".
std::vector<std::string> errors_in(const std::string& toml) {
  std::vector<std::string> all;
  try {
    plugin_manifest_from_toml(toml, "p.toml");
  } catch (const UserErrors& errors) {
    for (const UserError& error : errors.errors()) {
      EXPECT_TRUE(error.where().starts_with("p.toml:")) << error.where();
      all.push_back(error.where().substr(7) + ": " + error.message() + "; " + error.hint());
    }
  }
  return all;
}

TEST(PluginToml, ReadsEverything) {
  std::ifstream stream("tests/sdk/manifest_tool/all_types.toml");
  const std::string text(std::istreambuf_iterator<char>(stream), {});
  const PluginManifest plugin = plugin_manifest_from_toml(text, "all_types.toml");
  EXPECT_EQ(plugin.name, "all_types");
  EXPECT_EQ(plugin.version, "1.2.3");
  EXPECT_EQ(plugin.vendor, "acme");
  ASSERT_EQ(plugin.methods.size(), 2u);
  const MethodManifest& method = plugin.methods[0];
  EXPECT_EQ(method.id, "acme.all_types");
  EXPECT_EQ(method.kind, MethodKind::seed_generator);
  EXPECT_EQ(method.revision, 4);
  EXPECT_EQ(method.licence, "MIT");
  EXPECT_THAT(method.citation, HasSubstr("Müller"));
  EXPECT_THAT(method.supervision.labels, ElementsAre("image_labels"));
  EXPECT_THAT(method.supervision.side_inputs, ElementsAre("saliency"));
  EXPECT_EQ(method.supervision.pretraining, "imagenet");
  EXPECT_THAT(method.traits, ElementsAre("batched", "trains"));
  EXPECT_THAT(method.needs, ElementsAre("taps:final", "attention"));
  EXPECT_THAT(method.provides, ElementsAre("side:affinity"));
  EXPECT_EQ(method.gives.background, "absent");
  EXPECT_EQ(method.bytes_per_image, 4096);
  EXPECT_EQ(method.backbone_defaults.at("num_class_tokens"), ParameterValue(std::int64_t{20}));

  std::vector<std::string> names;
  for (const ParameterSpec& spec : method.parameters) names.push_back(spec.name);
  EXPECT_THAT(names, ElementsAre("zeta", "count", "delta", "mode", "steps", "scales", "names", "table"));
  EXPECT_EQ(method.find_parameter("delta")->default_value, ParameterValue(1.0));
  EXPECT_EQ(method.find_parameter("delta")->unit, "px");
  EXPECT_EQ(method.find_parameter("scales")->default_value, ParameterValue(std::vector<double>{1, 0.5}));
  EXPECT_EQ(method.find_parameter("names")->default_value, ParameterValue(std::vector<std::string>{}));
  EXPECT_TRUE(method.find_parameter("table")->required);

  EXPECT_EQ(method.find_slot("label_refiner")->default_method, "par");
  ASSERT_EQ(method.when.size(), 1u);
  EXPECT_THAT(method.when[0].add_traits, ElementsAre("random"));
  const Preset& preset = *method.find_preset("released");
  EXPECT_EQ(preset.parameters.at("delta"), ParameterValue(0.0));
  EXPECT_EQ(preset.parameters.at("scales"), ParameterValue(std::vector<double>{2}));
  EXPECT_EQ(preset.host_tables.at("train"), R"({"epochs":5,"list":[1,"a",{"b":true}],"lr":0.1})");
  EXPECT_EQ(method.host_defaults.at("train"), R"({"epochs":1})");
}

TEST(PluginToml, ASyntaxErrorComesAlone) {
  EXPECT_THAT(errors_in("schema = 1\nname = = 3\n"), ElementsAre(HasSubstr("2:8: this is not valid TOML: ")));
}

TEST(PluginToml, UnknownKeysAreNamedWithTheNearest) {
  EXPECT_THAT(errors_in(std::string(kPlugin) + kMethod + "supervison = {}\n"),
              ElementsAre(AllOf(HasSubstr("11:1: unknown key in [method]: `supervison`"),
                                HasSubstr("nearest: `supervision`"))));
  EXPECT_THAT(errors_in(std::string("plugins = {}\n") + kPlugin + kMethod),
              ElementsAre(HasSubstr("1:1: unknown key in the file: `plugins`; nearest: `plugin`")));
  EXPECT_THAT(errors_in(std::string(kPlugin) + kMethod + "takes = { fom = 'labels' }\n"),
              ElementsAre(HasSubstr("11:11: unknown key in [method.takes]: `fom`; nearest: `form`")));
  EXPECT_THAT(errors_in(std::string(kPlugin) + kMethod + "[[method.when]]\nparameter = 'a'\nvalue = [1]\n"),
              ElementsAre(HasSubstr("13:1: unknown key in [method.when]: `value`; nearest: `values`")));
}

TEST(PluginToml, WrongTypesAreNamedWithWhatWouldDo) {
  EXPECT_THAT(errors_in(std::string(kPlugin) + kMethod + "revision = '1'\ntraits = 'trains'\nneeds = [1]\n"),
              ElementsAre(HasSubstr("`revision` in [method] is a text; accepted: an integer"),
                          HasSubstr("`traits` in [method] is a text; accepted: a list of texts"),
                          HasSubstr("`needs` in [method] holds an integer")));
  EXPECT_THAT(errors_in(std::string(kPlugin) + kMethod + "parameters = 3\npresets = [1]\nwhen = [1]\ndefaults = 1\n"),
              ElementsAre(HasSubstr("a table of tables"), HasSubstr("a table of tables"),
                          HasSubstr("an element of `when` is an integer"), HasSubstr("`defaults`")));
  EXPECT_THAT(errors_in(std::string(kPlugin) + kMethod + "[method.parameters]\nalpha = 3\n"),
              ElementsAre(HasSubstr("`alpha` in [method.parameters] is an integer; accepted: a table")));
}

TEST(PluginToml, MissingKeysAreNamed) {
  EXPECT_THAT(errors_in("schema = 1\n"), ElementsAre(HasSubstr("lacks the table [plugin]")));
  EXPECT_THAT(errors_in(std::string("schema = 7\n[plugin]\nversion = '1'\n") + kMethod),
              ElementsAre(HasSubstr("1:10: the schema is missing or unknown"), HasSubstr("[plugin] lacks `name`")));
  EXPECT_THAT(errors_in(std::string(kPlugin) + "[[method]]\nsummary = 's'\n"),
              ElementsAre(HasSubstr("[method] lacks `id`"), HasSubstr("[method] lacks `kind`"),
                          HasSubstr("[method] lacks `supervision`")));
  EXPECT_THAT(errors_in(std::string(kPlugin) + kMethod + "[method.parameters.a]\ntype = 'number'\nsummary = 's'\n"),
              ElementsAre(HasSubstr("[method.parameters.a] lacks `default`")));
}

TEST(PluginToml, UnknownKindsAndTypesAreNamed) {
  EXPECT_THAT(errors_in(std::string(kPlugin) + "[[method]]\nid = 'm'\nkind = 'refinr'\nsupervision = {}\n"),
              ElementsAre(AllOf(HasSubstr("7:8: unknown kind `refinr`"), HasSubstr("(nearest: `refiner`)"))));
  EXPECT_THAT(errors_in(std::string(kPlugin) + kMethod + "[method.parameters.a]\ntype = 'float'\ndefault = 1.0\n"),
              ElementsAre(HasSubstr("12:8: unknown parameter type `float`")));
}

TEST(PluginToml, ValuesThatNoParameterHolds) {
  EXPECT_THAT(errors_in(std::string(kPlugin) + kMethod +
                        "[method.parameters.a]\ntype = 'number'\nsummary = 's'\ndefault = 2020-01-01\nmaximum = inf\n"),
              ElementsAre(HasSubstr("14:11: `default` in [method.parameters.a] cannot be a parameter's value"),
                          HasSubstr("15:11: `maximum` in [method.parameters.a] is not finite")));
  EXPECT_THAT(errors_in(std::string(kPlugin) + kMethod + "[method.defaults]\ntrain = { lr = inf }\n"),
              ElementsAre(HasSubstr("`train` in [method.defaults] holds a date, a time or an infinite number")));
  EXPECT_THAT(errors_in(std::string(kPlugin) + kMethod +
                        "[method.parameters.a]\ntype = 'numbers'\nsummary = 's'\ndefault = []\nminimum_size = -1\n"),
              ElementsAre(HasSubstr("minimum_size is negative")));
  EXPECT_THAT(errors_in(std::string(kPlugin) + kMethod +
                        "[method.parameters.a]\ntype = 'file'\nsummary = 's'\nrequired = true\ndefault = 'a'\n"),
              ElementsAre(HasSubstr("a required parameter has no default")));
}

TEST(PluginToml, WhatTheContractFindsHasLineAndColumn) {
  EXPECT_THAT(errors_in(std::string(kPlugin) + kMethod + "traits = ['trans']\n"),
              ElementsAre(HasSubstr("11:10: `m`: unknown trait `trans`")));
  EXPECT_THAT(errors_in(std::string(kPlugin) + kMethod +
                        "[method.parameters.a]\ntype = 'number'\nsummary = 's'\ndefault = 3\nmaximum = 1\n"),
              ElementsAre(HasSubstr(
                  "14:11: `m`: the default of parameter `a` is not legal: it is `3.0`; accepted: at most 1")));
  EXPECT_THAT(errors_in(std::string(kPlugin) + kMethod + "[method.presets.x]\nsummary = 's'\nparameters = { a = 1 }\n"),
              ElementsAre(HasSubstr("13:20: `m`: unknown parameter `a`")));
}

// An unreadable method hides nothing of another one.
TEST(PluginToml, AllErrorsAtOnce) {
  const std::string second = "[[method]]\nid = 'n'\nkind = 'loss'\nsummary = 's'\nlicence = 'MIT'\nsupervision = {}\n";
  EXPECT_THAT(
      errors_in(std::string(kPlugin) + "color = 1\n" + kMethod + "revision = 'x'\n" + second + "traits = ['x']\n"),
      ElementsAre(HasSubstr("5:1: unknown key in [plugin]"), HasSubstr("12:12: `revision`"),
                  HasSubstr("19:10: `n`: unknown trait `x`")));
}

}  // namespace
}  // namespace seedbed::manifest_tool
