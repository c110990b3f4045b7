// Weights that nearly fit a real backbone: a name off by a letter, a classifier of other classes.
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "program_run.hpp"
#include "small_study.hpp"

namespace seedbed::testing {
namespace {

using Json = nlohmann::ordered_json;
using Shapes = std::map<std::string, std::vector<std::int64_t>>;

constexpr const char* kBackbone = "squeezenet";

/// Every tensor of the backbone, asked for beside a file that holds none of them.
Shapes shapes_of_backbone(const ScratchFolder& folder) {
  const auto unrelated = std::filesystem::absolute("tests/host/weights/fixtures/plain.pth");
  const Json answer = seedbed_json({"weights", "check", kBackbone, unrelated}, folder.path(), 2);
  Shapes shapes;
  for (const Json& missing : answer.at("missing")) {
    shapes[missing.at("name")] = missing.at("shape").get<std::vector<std::int64_t>>();
  }
  return shapes;
}

/// A safetensors file of small numbers.
void write_weights(const std::filesystem::path& path, const Shapes& shapes) {
  Json header;
  std::uint64_t end = 0;
  for (const auto& [name, shape] : shapes) {
    std::uint64_t bytes = sizeof(float);
    for (const std::int64_t side : shape) bytes *= static_cast<std::uint64_t>(side);
    header[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {end, end + bytes}}};
    end += bytes;
  }
  const std::string text = header.dump();
  const std::uint64_t length = text.size();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(&length), sizeof(length));
  file << text;
  std::vector<float> values(end / sizeof(float));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.01F * static_cast<float>(static_cast<int>(i % 7) - 3);
  file.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(end));
}

const std::string kStudy = on_small_scenes("train = \"0..8\", measure = \"0..4\"") + R"(
[study]
name = "weights"
random_seeds = [0]

[backbone]
method = "squeezenet"
weights = "weights.safetensors"
strict = STRICT

[seed_generator]
method = "cam"
train = { epochs = 1, batch_size = 4, learning_rate = 1e-5, augment = [] }
localise = { scales = [1.0], flip = false, fusion = "plain" }

[score]
targets = ["seeds"]
roles = ["measure"]
)";

std::string study(bool strict) {
  std::string text = kStudy;
  return text.replace(text.find("STRICT"), std::strlen("STRICT"), strict ? "true" : "false");
}

class BackboneWeights : public ::testing::Test {
 protected:
  BackboneWeights() : shapes_(shapes_of_backbone(folder_)) {}

  Json check(int expected_status) {
    write_weights(folder_.path() / "weights.safetensors", shapes_);
    return seedbed_json({"weights", "check", kBackbone, "weights.safetensors"}, folder_.path(), expected_status);
  }

  /// A classifier of five classes where ImageNet's thousand are expected.
  void give_other_classes() {
    shapes_["classifier.1.weight"] = {5, 512, 1, 1};
    shapes_["classifier.1.bias"] = {5};
  }

  ScratchFolder folder_;
  Shapes shapes_;
};

TEST_F(BackboneWeights, FitWhereEveryNameDoes) {
  ASSERT_GT(shapes_.size(), 40U);
  const Json answer = check(0);
  EXPECT_EQ(answer.at("problem"), "");
  EXPECT_TRUE(answer.at("missing").empty());
}

TEST_F(BackboneWeights, AreLaidBesideTheNearestNames) {
  shapes_["feature.0.weight"] = shapes_.at("features.0.weight");
  shapes_.erase("features.0.weight");
  const Json answer = check(2);
  ASSERT_EQ(answer.at("missing").size(), 1U);
  EXPECT_EQ(answer.at("missing")[0].at("name"), "features.0.weight");
  EXPECT_EQ(answer.at("missing")[0].at("nearest"), "feature.0.weight");
  ASSERT_EQ(answer.at("extra").size(), 1U);
  EXPECT_EQ(answer.at("extra")[0].at("name"), "feature.0.weight");
  EXPECT_EQ(answer.at("extra")[0].at("nearest"), "features.0.weight");
  const ProgramEnd text = seedbed({"weights", "check", kBackbone, "weights.safetensors"}, folder_.path());
  EXPECT_NE(text.out.find("feature.0.weight"), std::string::npos) << text.out;
}

TEST_F(BackboneWeights, OfAnotherClassCountAreAnError) {
  give_other_classes();
  const Json answer = check(2);
  EXPECT_NE(answer.at("misshapen").dump().find("`[5, 512, 1, 1]` in the file"), std::string::npos);
  EXPECT_NE(answer.at("problem"), "");

  folder_.write("study.toml", study(/*strict=*/true));
  const ProgramEnd run = seedbed({"run", "study.toml", "--store", "a.db"}, folder_.path());
  EXPECT_NE(run.status, 0);
  EXPECT_NE((run.out + run.err).find("classifier.1.weight"), std::string::npos) << run.out << run.err;
}

TEST_F(BackboneWeights, OfAnotherClassCountAreListedWhereTheStudyIsNotStrict) {
  give_other_classes();
  check(2);
  folder_.write("study.toml", study(/*strict=*/false));
  const ProgramEnd run = seedbed({"run", "study.toml", "--store", "a.db"}, folder_.path());
  ASSERT_EQ(run.status, 0) << run.out << run.err;
  const auto facts =
      sql(folder_.path() / "a.db", "SELECT facts_json FROM attempts WHERE facts_json LIKE '%weights_unused%'");
  ASSERT_FALSE(facts.empty());
  EXPECT_NE(facts[0][0].find("classifier.1.weight"), std::string::npos);
  EXPECT_NE(facts[0][0].find("[5, 512, 1, 1]"), std::string::npos);
}

}  // namespace
}  // namespace seedbed::testing
