#include "manifest_tool/generated_code.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "manifest_tool/manifest_writer.hpp"
#include "seedbed/error.hpp"

namespace seedbed::manifest_tool {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ParameterHeader, NamesStructsAfterIds) {
  PluginManifest plugin;
  MethodManifest backbone, strategy;
  backbone.id = "usage";
  backbone.kind = MethodKind::seed_generator;
  strategy.id = "usage";
  strategy.kind = MethodKind::training_strategy;
  plugin.methods = {backbone};
  EXPECT_THAT(parameter_header(plugin), HasSubstr("struct UsageParameters {"));
  plugin.methods = {backbone, strategy};  // one id, two kinds
  EXPECT_THAT(parameter_header(plugin), HasSubstr("struct UsageSeedGeneratorParameters {"));
  EXPECT_THAT(parameter_header(plugin), HasSubstr("struct UsageTrainingStrategyParameters {"));
}

TEST(ParameterHeader, CommentsCannotEscape) {
  PluginManifest plugin;
  MethodManifest method;
  method.id = "m";
  method.summary = "ends in \\";
  plugin.methods = {method};
  EXPECT_THAT(parameter_header(plugin), Not(HasSubstr("\\\n")));
}

TEST(SectionSource, MarksConstantsForTheLinker) {
  const std::string source = section_source("{}", "{\"a\":1}");
  EXPECT_THAT(source, HasSubstr("[[gnu::section(\".seedbed_manifest\"), gnu::used, gnu::retain]]"));
  EXPECT_THAT(source, HasSubstr("[[gnu::section(\".seedbed_fingerprint\"), gnu::used, gnu::retain]]"));
  EXPECT_THAT(source, HasSubstr("\"{\\\"a\\\":1}\""));
}

TEST(CompactFingerprint, NeedsEveryField) {
  std::string all = "{";
  for (const FingerprintField& field : fingerprint_fields()) all += "\n \"" + std::string(field.name) + "\": \"x\",";
  all.back() = '}';
  EXPECT_THAT(compact_fingerprint(all, "f.json"), HasSubstr("\"torch_version\":\"x\""));
  EXPECT_THROW(compact_fingerprint("{}", "f.json"), UserError);
  EXPECT_THROW(compact_fingerprint("[", "f.json"), UserError);
  EXPECT_THROW(compact_fingerprint("[]", "f.json"), UserError);
}

}  // namespace
}  // namespace seedbed::manifest_tool
