#include "dataset/random_stream.hpp"

#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/shared_folder.hpp"

namespace seedbed::dataset {
namespace {

TEST(RandomStream, StartsFromTheNameAndCounts) {
  const RandomStream stream("a");
  RandomStream moving("a");
  for (std::uint64_t i = 0; i < 5; ++i) EXPECT_EQ(moving.next(), stream.at(i));
  EXPECT_NE(stream.at(0), RandomStream("b").at(0));
}

TEST(RandomStream, StaysWithinItsLimits) {
  RandomStream stream("limits");
  for (int i = 0; i < 1000; ++i) {
    EXPECT_LT(stream.below(7), 7U);
    EXPECT_EQ(stream.below(1), 0U);
    const double value = stream.uniform(-2, 3);
    EXPECT_GE(value, -2);
    EXPECT_LT(value, 3);
  }
}

TEST(RandomStream, EqualsTheEvaluationGolden) {
  SEEDBED_SHARED_OR_SKIP(file, "goldens/evaluation/rng.json");
  std::ifstream text(file);
  const auto golden = nlohmann::json::parse(text);
  const auto name = golden["name"].get<std::string>();
  const auto hexadecimal = [](const nlohmann::json& digits) {
    return std::stoull(digits.get<std::string>(), nullptr, 16);
  };
  for (std::size_t i = 0; i < golden["raw64_hex_first_8"].size(); ++i)
    EXPECT_EQ(RandomStream(name).at(i), hexadecimal(golden["raw64_hex_first_8"][i]));
  EXPECT_EQ(RandomStream(name).at(1'000'000), hexadecimal(golden["raw64_hex_counter_1000000"]));
  RandomStream below(name), unit(name);
  for (const auto& expected : golden["below_60_first_20"]) EXPECT_EQ(below.below(60), expected.get<std::uint64_t>());
  for (const auto& expected : golden["unit_first_4"]) EXPECT_EQ(unit.unit(), expected.get<double>());
}

}  // namespace
}  // namespace seedbed::dataset
