#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include "all_types_manifest.hpp"

namespace seedbed {
namespace {

using Generated = AcmeAllTypesParameters;

static_assert(std::is_same_v<decltype(Generated::zeta), bool>);
static_assert(std::is_same_v<decltype(Generated::count), std::int64_t>);
static_assert(std::is_same_v<decltype(Generated::delta), double>);
static_assert(std::is_same_v<decltype(Generated::mode), std::string>);
static_assert(std::is_same_v<decltype(Generated::steps), std::vector<std::int64_t>>);
static_assert(std::is_same_v<decltype(Generated::scales), std::vector<double>>);
static_assert(std::is_same_v<decltype(Generated::names), std::vector<std::string>>);
static_assert(std::is_same_v<decltype(Generated::table), std::string>);
static_assert(Generated::kRevision == 4);

TEST(GeneratedStruct, HoldsTheDefaults) {
  const Generated defaults;
  EXPECT_STREQ(Generated::kId, "acme.all_types");
  EXPECT_TRUE(defaults.zeta);
  EXPECT_EQ(defaults.count, std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(defaults.delta, 1.0);
  EXPECT_EQ(defaults.mode, "say \"a\\b\" \xc3\xbc\x31");
  EXPECT_EQ(defaults.steps, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(defaults.scales, (std::vector<double>{1, 0.5}));
  EXPECT_TRUE(defaults.names.empty());
  EXPECT_EQ(defaults.table, "");
}

TEST(GeneratedStruct, ReadsResolvedParameters) {
  const ParameterValues values{{"zeta", false},
                               {"count", std::int64_t{7}},
                               {"delta", 0.25},
                               {"mode", std::string("m")},
                               {"steps", std::vector<std::int64_t>{3}},
                               {"scales", std::vector<double>{2}},
                               {"names", std::vector<std::string>{"a"}},
                               {"table", std::string("t.csv")}};
  const Generated read = Generated::from(values);
  EXPECT_FALSE(read.zeta);
  EXPECT_EQ(read.count, 7);
  EXPECT_EQ(read.delta, 0.25);
  EXPECT_EQ(read.mode, "m");
  EXPECT_EQ(read.steps, (std::vector<std::int64_t>{3}));
  EXPECT_EQ(read.scales, (std::vector<double>{2}));
  EXPECT_EQ(read.names, (std::vector<std::string>{"a"}));
  EXPECT_EQ(read.table, "t.csv");
}

TEST(GeneratedStruct, MayBeEmpty) {
  AcmeOtherParameters::from({});
  EXPECT_STREQ(AcmeOtherParameters::kId, "acme.other");
}

}  // namespace
}  // namespace seedbed
