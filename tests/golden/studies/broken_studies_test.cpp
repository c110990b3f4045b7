#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "manifest/catalogue.hpp"
#include "seedbed/error.hpp"
#include "study/study.hpp"
#include "study_fixture.hpp"

// Each NN-what.toml here is wrong; NN-what.expected holds what is said of it: one line a mistake, and below it, indented,
// how its hint begins. With SEEDBED_APPROVE=1 the files are written anew: look at the difference before keeping it.
namespace seedbed::study {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = SEEDBED_BROKEN_STUDIES;

std::string content_of(const fs::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

// Names of files, not where this tree lies.
std::string without_folder(std::string text) {
  const std::string folder = kFolder.string() + "/";
  for (std::size_t at = text.find(folder); at != std::string::npos; at = text.find(folder))
    text.erase(at, folder.size());
  return text;
}

// A hint up to what grows with every new method or key.
std::string beginning(const std::string& hint) {
  const std::string start = hint.substr(0, hint.find("accepted: `"));
  return start.ends_with("; ") ? start.substr(0, start.size() - 2) : start;
}

std::string said_of(const fs::path& file, const manifest::Catalogue& catalogue) {
  std::vector<UserError> errors;
  try {
    read_study(file, catalogue, {});
  } catch (const UserErrors& several) {
    errors = several.errors();
  } catch (const UserError& error) {
    errors = {error};
  }
  std::string text;
  for (const UserError& error : errors) {
    text += error.where() + ": " + error.message() + "\n";
    if (const std::string hint = beginning(error.hint()); !hint.empty()) text += "  " + hint + "\n";
  }
  return without_folder(text);
}

std::vector<std::string> broken_studies() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

class BrokenStudy : public ::testing::TestWithParam<std::string> {};

TEST_P(BrokenStudy, IsToldWhatIsWrong) {
  static const manifest::Catalogue catalogue = manifest::Catalogue::of(builtin_manifests());
  const std::string said = said_of(kFolder / (GetParam() + ".toml"), catalogue);
  EXPECT_NE(said, "") << "nothing was found wrong";
  const fs::path expected = kFolder / (GetParam() + ".expected");
  if (std::getenv("SEEDBED_APPROVE")) std::ofstream(expected) << said;
  EXPECT_EQ(said, content_of(expected));
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
