#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "expected_words.hpp"
#include "manifest/catalogue.hpp"
#include "study/study.hpp"
#include "study_fixture.hpp"

// With SEEDBED_APPROVE=1 the expected files are written anew: look at the difference before keeping it.
namespace seedbed::study {
namespace {

std::string said_of(const std::string& name, const manifest::Catalogue& catalogue) {
  std::string words;
  try {
    read_study(broken_study(name), catalogue, {});
  } catch (const UserErrors& several) {
    for (const UserError& error : several.errors()) words += words_of(error);
  } catch (const UserError& error) {
    words = words_of(error);
  }
  return words;
}

class BrokenStudy : public ::testing::TestWithParam<std::string> {};

TEST_P(BrokenStudy, IsToldWhatIsWrong) {
  static const manifest::Catalogue catalogue = manifest::Catalogue::of(builtin_manifests());
  const std::string said = said_of(GetParam(), catalogue);
  EXPECT_NE(said, "") << "nothing was found wrong";
  if (std::getenv("SEEDBED_APPROVE")) std::ofstream(broken_study(GetParam()).replace_extension(".expected")) << said;
  EXPECT_EQ(said, expected_words(GetParam()));
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::ranges::replace(name, '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Studies, BrokenStudy, ::testing::ValuesIn(broken_studies()), test_name);

TEST(BrokenStudies, AreAtLeastThirty) { EXPECT_GE(broken_studies().size(), 30u); }

}  // namespace
}  // namespace seedbed::study
