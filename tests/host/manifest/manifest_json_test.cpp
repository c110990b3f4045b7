#include "manifest/manifest_json.hpp"

#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "manifest/host_fingerprint.hpp"
#include "manifest/specimens.hpp"
#include "manifest_tool/manifest_writer.hpp"
#include "manifest_tool/plugin_toml.hpp"
#include "seedbed/error.hpp"

namespace seedbed::manifest {
namespace {

using ::testing::HasSubstr;

PluginManifest example() {
  std::ifstream stream("tests/sdk/manifest_tool/all_types.toml");
  const std::string text(std::istreambuf_iterator<char>(stream), {});
  return manifest_tool::plugin_manifest_from_toml(text, "all_types.toml");
}

std::string refusal(const std::string& json) {
  try {
    plugin_manifest_from_json(json, "x.so");
  } catch (const UserError& error) {
    EXPECT_EQ(error.where(), "x.so");
    return error.message();
  }
  return "accepted";
}

// `text` with the first `from` replaced.
std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST(PluginManifestFromJson, ReadsWhatTheToolWrites) {
  const PluginManifest written = example();
  const std::string json = manifest_tool::manifest_json(written);
  const PluginManifest read = plugin_manifest_from_json(json, "x.so");
  EXPECT_EQ(manifest_tool::manifest_json(read), json);
  EXPECT_TRUE(manifest_problems(read).empty());
  // Values keep their types, which the text alone would lose.
  const MethodManifest& method = read.methods[0];
  EXPECT_EQ(method.find_parameter("delta")->default_value, ParameterValue(1.0));
  EXPECT_EQ(method.find_parameter("names")->default_value, ParameterValue(std::vector<std::string>{}));
  EXPECT_EQ(method.find_preset("released")->parameters, written.methods[0].find_preset("released")->parameters);
  EXPECT_EQ(method.find_preset("released")->host_tables, written.methods[0].find_preset("released")->host_tables);
  EXPECT_EQ(method.host_defaults, written.methods[0].host_defaults);
  EXPECT_EQ(method.backbone_defaults, written.methods[0].backbone_defaults);
}

TEST(PluginManifestFromJson, RefusesWhatIsNoManifest) {
  EXPECT_THAT(refusal(""), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal("{}{}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal("[]"), HasSubstr("`manifest` is not an object"));
  EXPECT_THAT(refusal("{}"), HasSubstr("lacks `manifest.schema`"));
  EXPECT_THAT(refusal(std::string(100000, '[')), HasSubstr("nested too deep"));
  EXPECT_EQ(refusal(R"({"schema":1,"name":"[[\"[[","version":"","vendor":"","source_revision":"","methods":[]})"),
            "accepted");
}

TEST(PluginManifestFromJson, RefusesANewerSchema) {
  EXPECT_THAT(refusal(R"({"schema":2})"), HasSubstr("schema is `2`"));
  EXPECT_THAT(refusal(R"({"schema":0})"), HasSubstr("schema is `0`"));
}

TEST(PluginManifestFromJson, NamesWhatIsWrong) {
  const std::string good = manifest_tool::manifest_json(example());
  EXPECT_THAT(refusal(replaced(good, "\"version\":\"1.2.3\"", "\"version\":3")),
              HasSubstr("`manifest.version` is not a text"));
  EXPECT_THAT(refusal(replaced(good, "\"methods\":[", "\"methods\":3,\"m\":[")),
              HasSubstr("`manifest.methods` is not a list"));
  EXPECT_THAT(refusal(replaced(good, "seed_generator", "generator")),
              HasSubstr("`manifest.methods[0].kind` is not a kind"));
  EXPECT_THAT(refusal(replaced(good, "\"revision\":4", "\"revision\":4.5")), HasSubstr("is not an integer"));
  EXPECT_THAT(refusal(replaced(good, "\"required\":false", "\"required\":0")), HasSubstr("is not true or false"));
  EXPECT_THAT(refusal(replaced(good, "\"type\":\"boolean\"", "\"type\":\"bool\"")),
              HasSubstr("is not a type of parameter"));
  EXPECT_THAT(refusal(replaced(good, "\"minimum\":0.0", "\"minimum\":\"0\"")), HasSubstr("is not a number"));
  EXPECT_THAT(refusal(replaced(good, "\"default\":true", "\"default\":{}")), HasSubstr("is not a parameter's value"));
  EXPECT_THAT(refusal(replaced(good, "\"needs\":[", "\"needs\":[1,")), HasSubstr("is not a list of texts"));
  EXPECT_THAT(refusal(replaced(good, "\"supervision\":{", "\"supervision\":[{}],\"s\":{")),
              HasSubstr("is not an object"));
  EXPECT_THAT(refusal(replaced(good, "\"host_defaults\":{\"train\":{", "\"host_defaults\":{\"train\":3,\"uses\":{")),
              HasSubstr("is not an object of objects"));
}

TEST(FingerprintFromJson, ReadsEveryField) {
  Fingerprint fingerprint = host_fingerprint();
  fingerprint.sanitizers = "thread";
  EXPECT_TRUE(
      fingerprint_differences(fingerprint_from_json(fingerprint_json(fingerprint), "x.so"), fingerprint).empty());
  EXPECT_THROW(fingerprint_from_json("{}", "x.so"), UserError);
  EXPECT_THROW(fingerprint_from_json("", "x.so"), UserError);
}

TEST(HostFingerprint, IsComplete) {
  for (const FingerprintField& field : fingerprint_fields()) {
    const bool may_be_empty = field.member == &Fingerprint::sanitizers;
    EXPECT_TRUE(may_be_empty || !(host_fingerprint().*field.member).empty()) << field.name;
  }
  EXPECT_EQ(host_fingerprint().sdk_headers_digest.size(), 64u);
}

TEST(MethodJson, TakesOneMethodOut) {
  const std::string json = manifest_tool::manifest_json(example());
  EXPECT_THAT(method_json(json, MethodKind::loss, "acme.other"), HasSubstr("\"summary\":\"No parameters.\""));
  EXPECT_EQ(method_json(json, MethodKind::refiner, "acme.other"), "");
}

TEST(ParameterValueJson, GoesBothWays) {
  const auto round = [](ParameterType type, const ParameterValue& value) {
    EXPECT_EQ(parameter_value_from_json(type, to_json(value)), value);
  };
  round(ParameterType::boolean, true);
  round(ParameterType::integer, std::int64_t{-9223372036854775807});
  round(ParameterType::number, 0.1);
  round(ParameterType::number, 1.0);
  round(ParameterType::text, std::string("ü\"\\\n"));
  round(ParameterType::file, std::string("a/b"));
  round(ParameterType::integers, std::vector<std::int64_t>{1, 2});
  round(ParameterType::numbers, std::vector<double>{});
  round(ParameterType::texts, std::vector<std::string>{"a"});
  EXPECT_EQ(parameter_value_from_json(ParameterType::number, "1"), ParameterValue(1.0));
  EXPECT_EQ(to_json(ParameterValues{{"b", 0.5}, {"a", true}}), R"({"a":true,"b":0.5})");
}

TEST(ParameterValueJson, RefusesAnotherType) {
  EXPECT_THROW(parameter_value_from_json(ParameterType::integer, "0.5"), UserError);
  EXPECT_THROW(parameter_value_from_json(ParameterType::text, "null"), UserError);
  EXPECT_THROW(parameter_value_from_json(ParameterType::text, "{"), UserError);
}

}  // namespace
}  // namespace seedbed::manifest
