#include "seedbed/parameters.hpp"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "seedbed/error.hpp"

namespace seedbed {
namespace {

using testing::HasSubstr;
using Integers = std::vector<std::int64_t>;
using Numbers = std::vector<double>;
using Texts = std::vector<std::string>;

ParameterSpec spec_of(ParameterType type) {
  ParameterSpec spec;
  spec.name = "p";
  spec.type = type;
  return spec;
}

ParameterSpec between(ParameterType type, double minimum, double maximum) {
  ParameterSpec spec = spec_of(type);
  spec.minimum = minimum;
  spec.maximum = maximum;
  return spec;
}

TEST(ParameterType, NamesGoBothWays) {
  for (const char* name : {"boolean", "integer", "number", "text", "integers", "numbers", "texts", "file"}) {
    ASSERT_TRUE(parameter_type_from(name)) << name;
    EXPECT_EQ(name_of(*parameter_type_from(name)), name);
  }
  EXPECT_FALSE(parameter_type_from("float"));
}

TEST(WhyIllegal, AcceptsWhatFits) {
  EXPECT_FALSE(why_illegal(spec_of(ParameterType::boolean), true));
  EXPECT_FALSE(why_illegal(between(ParameterType::integer, 0, 10), std::int64_t{10}));
  EXPECT_FALSE(why_illegal(spec_of(ParameterType::integer), std::numeric_limits<std::int64_t>::max()));
  EXPECT_FALSE(why_illegal(between(ParameterType::number, 0, 1), 0.0));
  EXPECT_FALSE(why_illegal(between(ParameterType::number, 0, 1), std::int64_t{1}));  // an integer is a number
  EXPECT_FALSE(why_illegal(spec_of(ParameterType::text), std::string("any")));
  EXPECT_FALSE(why_illegal(spec_of(ParameterType::file), std::string()));  // no file is legal where none is required
  EXPECT_FALSE(why_illegal(between(ParameterType::numbers, 0, 1), Integers{0, 1}));
  EXPECT_FALSE(why_illegal(spec_of(ParameterType::texts), Integers{}));  // [] is any list
}

TEST(WhyIllegal, NamesTypeAndWhatWouldDo) {
  EXPECT_EQ(*why_illegal(between(ParameterType::integer, 0, 10), 0.5),
            "it is a number, `0.5`; accepted: an integer, 0 .. 10");
  EXPECT_EQ(*why_illegal(spec_of(ParameterType::boolean), std::string("yes")),
            "it is a text, `\"yes\"`; accepted: true or false");
  EXPECT_EQ(*why_illegal(spec_of(ParameterType::numbers), std::int64_t{3}),
            "it is an integer, `3`; accepted: a list of numbers");
}

TEST(WhyIllegal, HoldsBounds) {
  EXPECT_EQ(*why_illegal(between(ParameterType::number, 0.25, 1), 1.5), "it is `1.5`; accepted: 0.25 .. 1");
  EXPECT_TRUE(why_illegal(between(ParameterType::number, 0, 1), std::nan("")));
  EXPECT_TRUE(why_illegal(spec_of(ParameterType::number), std::numeric_limits<double>::infinity()));
  EXPECT_EQ(*why_illegal(between(ParameterType::integers, 1, 9), Integers{1, 0}),
            "element 2 is `0`; accepted: a list of integers, each 1 .. 9");
  // 2^53 + 1 as double would be 2^53.
  EXPECT_TRUE(why_illegal(between(ParameterType::integer, 0, 9007199254740992.0), std::int64_t{9007199254740993}));
}

TEST(WhyIllegal, HoldsChoicesSizesAndFiles) {
  ParameterSpec mode = spec_of(ParameterType::text);
  mode.choices = {"mean", "max"};
  EXPECT_EQ(*why_illegal(mode, std::string("maxx")),
            "it is `\"maxx\"`; accepted: one of `mean`, `max` (nearest: `max`)");
  ParameterSpec scales = spec_of(ParameterType::numbers);
  scales.minimum_size = 1;
  EXPECT_EQ(*why_illegal(scales, Numbers{}),
            "it has `0` elements; accepted: a list of numbers with at least 1 elements");
  ParameterSpec file = spec_of(ParameterType::file);
  file.required = true;
  EXPECT_EQ(*why_illegal(file, std::string()), "no file is given; accepted: a file's path");
}

TEST(Coerced, WidensOnlyWhereNothingIsLost) {
  EXPECT_EQ(coerced(spec_of(ParameterType::number), std::int64_t{3}), ParameterValue(3.0));
  EXPECT_EQ(coerced(spec_of(ParameterType::number), std::int64_t{9007199254740993}),
            ParameterValue(std::int64_t{9007199254740993}));
  EXPECT_EQ(coerced(spec_of(ParameterType::number), std::numeric_limits<std::int64_t>::min()),
            ParameterValue(std::numeric_limits<std::int64_t>::min()));
  EXPECT_EQ(coerced(spec_of(ParameterType::numbers), Integers{1, 2}), ParameterValue(Numbers{1, 2}));
  EXPECT_EQ(coerced(spec_of(ParameterType::texts), Numbers{}), ParameterValue(Texts{}));
  EXPECT_EQ(coerced(spec_of(ParameterType::integer), 3.0), ParameterValue(3.0));
  EXPECT_EQ(coerced(spec_of(ParameterType::integers), std::string()), ParameterValue(std::string()));
}

TEST(ToToml, WritesWhatTomlReads) {
  EXPECT_EQ(to_toml(true), "true");
  EXPECT_EQ(to_toml(std::int64_t{-3}), "-3");
  EXPECT_EQ(to_toml(0.1), "0.1");
  EXPECT_EQ(to_toml(2.0), "2.0");
  EXPECT_EQ(to_toml(1e300), "1e+300");
  EXPECT_EQ(to_toml(std::numeric_limits<double>::infinity()), "inf");
  EXPECT_EQ(to_toml(std::string("a \"b\" \\ \n\x01")), R"("a \"b\" \\ \n\u0001")");
  EXPECT_EQ(to_toml(Numbers{1, 0.5}), "[1.0, 0.5]");
  EXPECT_EQ(to_toml(Texts{}), "[]");
}

TEST(AcceptedRange, IsInWords) {
  EXPECT_EQ(accepted_range(between(ParameterType::number, 0.25, 1)), "0.25 .. 1");
  ParameterSpec spec = spec_of(ParameterType::integer);
  EXPECT_EQ(accepted_range(spec), "an integer");
  spec.minimum = 1;
  EXPECT_EQ(accepted_range(spec), "an integer, at least 1");
  spec.type = ParameterType::integers;
  spec.minimum_size = 2;
  EXPECT_EQ(accepted_range(spec), "a list of integers with at least 2 elements, each at least 1");
}

TEST(Parameter, ReadsByType) {
  const ParameterValues values{{"alpha", 0.5}, {"n", std::int64_t{3}}, {"mode", std::string("mean")}};
  EXPECT_EQ(parameter<double>(values, "alpha", "drs"), 0.5);
  EXPECT_EQ(parameter<std::int64_t>(values, "n", "drs"), 3);
  EXPECT_EQ(parameter<std::string>(values, "mode", "drs"), "mean");
}

TEST(Parameter, ThrowsForAbsenceAndAnotherType) {
  const ParameterValues values{{"alpha", 0.5}};
  EXPECT_THROW(parameter<double>(values, "beta", "drs"), ContractError);
  try {
    parameter<std::int64_t>(values, "alpha", "drs");
    FAIL();
  } catch (const ContractError& error) {
    EXPECT_EQ(error.who(), "drs");
    EXPECT_THAT(error.promise(), HasSubstr("`alpha`"));
    EXPECT_EQ(error.expected(), "an integer");
    EXPECT_EQ(error.found(), "`0.5`");
  }
}

}  // namespace
}  // namespace seedbed
