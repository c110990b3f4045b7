#include "manifest_tool/command_line.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "seedbed/error.hpp"

namespace seedbed::manifest_tool {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kExample = "tests/sdk/manifest_tool/all_types.toml";

std::string output_of(const std::vector<std::string>& arguments) {
  std::ostringstream out;
  run(arguments, out);
  return out.str();
}

std::string refusal_of(const std::vector<std::string>& arguments) {
  try {
    output_of(arguments);
  } catch (const UserError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(CommandLine, HelpsWithoutArguments) {
  EXPECT_EQ(output_of({}), usage());
  EXPECT_EQ(output_of({"--help"}), usage());
}

TEST(CommandLine, ChecksFiles) {
  EXPECT_THAT(output_of({"check", kExample}), HasSubstr("all_types 1.2.3, seed_generator `acme.all_types`, loss"));
  EXPECT_THAT(refusal_of({"check", "no/such.toml"}), HasSubstr("no/such.toml: the file cannot be read"));
  EXPECT_THAT(refusal_of({"check", "tests"}), HasSubstr("cannot be read"));
  EXPECT_THAT(refusal_of({"check"}), HasSubstr("usage: "));
}

TEST(CommandLine, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(refusal_of({"chek"}), HasSubstr("unknown command `chek`"));
  EXPECT_THAT(refusal_of({"embed", "--inputs", "a"}), HasSubstr("unknown option `--inputs`"));
  EXPECT_THAT(refusal_of({"embed", "--input"}), HasSubstr("needs a value"));
  EXPECT_THAT(refusal_of({"embed", "--input", "a"}), HasSubstr("missing: `--source-revision`"));
  EXPECT_THAT(refusal_of({"headers-digest"}), HasSubstr("usage: "));
}

TEST(CommandLine, EmbedWritesBothFiles) {
  const fs::path folder = fs::path(testing::TempDir()) / "embed";
  fs::create_directories(folder);
  std::string fingerprint = "{";
  for (const char* field : {"sdk_headers_digest", "torch_version", "torch_build_id", "c10_build_id", "cxx11_abi",
                            "compiler", "compiler_major", "cxx_standard", "sanitizers"}) {
    fingerprint += "\"" + std::string(field) + "\":\"\",";
  }
  fingerprint.back() = '}';
  std::ofstream(folder / "f.json") << fingerprint;
  const auto at = [&](const char* name) { return (folder / name).string(); };
  output_of({"embed", "--input", kExample, "--source-revision", "r12", "--fingerprint", at("f.json"), "--header",
             at("m.hpp"), "--source", at("m.cpp")});
  std::ifstream source(folder / "m.cpp");
  EXPECT_THAT(std::string(std::istreambuf_iterator<char>(source), {}), HasSubstr("r12"));
  EXPECT_TRUE(fs::exists(folder / "m.hpp"));
  EXPECT_THAT(refusal_of({"embed", "--input", kExample, "--source-revision", "r", "--fingerprint", at("f.json"),
                          "--header", at("no/m.hpp"), "--source", at("m.cpp")}),
              HasSubstr("cannot be written"));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace seedbed::manifest_tool
