#include "evaluation_goldens.hpp"

#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include <toml++/toml.h>

#include "support/shared_folder.hpp"

// Runs every set of goldens/evaluation, and of the folders in SEEDBED_GOLDENS_EXTRA, that its room computes. An entry
// that nobody knows fails; those that other tests run or that wait for their code are listed.
namespace seedbed::testing {

nlohmann::json EvaluationGolden::expected_json() const {
  for (const std::string& name : expected) {
    if (!name.ends_with(".json")) continue;
    std::ifstream text(folder / name);
    return nlohmann::json::parse(text);
  }
  return {};
}

namespace {

using Run = std::function<void(const EvaluationGolden&)>;

const std::map<std::string, Run>& runs() {
  static const std::map<std::string, Run> known{{"boundary", expect_boundary},
                                                {"calibration", expect_calibration},
                                                {"confusion", expect_confusion},
                                                {"multilabel", expect_multilabel},
                                                {"pointing", expect_pointing},
                                                {"sweep", expect_sweep},
                                                {"wsol", expect_wsol}};
  return known;
}

const std::map<std::string, std::string> kElsewhere{
    {"rng", "dataset_test runs it"}, {"image_io", "image_goldens_test runs it"}, {"statistics", "not computed yet"}};

std::vector<std::filesystem::path> folders() {
  std::vector<std::filesystem::path> found;
  if (const auto shared = shared_path("goldens/evaluation")) found.push_back(*shared);
  const char* extra = std::getenv("SEEDBED_GOLDENS_EXTRA");
  std::istringstream list(extra == nullptr ? "" : extra);
  for (std::string folder; std::getline(list, folder, ':');)
    for (const std::filesystem::path& place :
         {std::filesystem::path(folder), std::filesystem::path(folder) / "evaluation"}) {
      // The methods' goldens have an index of the same name and another form.
      if (!std::filesystem::exists(place / "index.toml")) continue;
      const auto* entries = toml::parse_file((place / "index.toml").string())["golden"].as_array();
      if (entries != nullptr && !entries->empty() && entries->front().as_table()->contains("id"))
        found.push_back(place);
    }
  return found;
}

std::vector<EvaluationGolden> goldens() {
  std::vector<EvaluationGolden> all;
  for (const std::filesystem::path& folder : folders()) {
    const toml::table index = toml::parse_file((folder / "index.toml").string());
    for (const toml::node& node : *index["golden"].as_array()) {
      const toml::table& entry = *node.as_table();
      EvaluationGolden golden{folder, entry["id"].value_or(std::string()), entry["inputs"].value_or(std::string()), {}};
      golden.tolerance = entry["scores_abs"].value_or(golden.tolerance);
      if (const auto one = entry["expected"].value<std::string>()) golden.expected.push_back(*one);
      if (const toml::array* several = entry["expected"].as_array())
        for (const toml::node& name : *several) golden.expected.push_back(name.value_or(std::string()));
      all.push_back(std::move(golden));
    }
  }
  return all;
}

TEST(EvaluationGoldens, EveryKnownSet) {
  const std::vector<EvaluationGolden> all = goldens();
  if (all.empty()) GTEST_SKIP() << "no goldens/evaluation in the shared folder (SEEDBED_SHARED names it)";
  for (const EvaluationGolden& golden : all) {
    SCOPED_TRACE((golden.folder / golden.id).string());
    if (const auto run = runs().find(golden.id); run != runs().end()) {
      run->second(golden);
    } else if (const auto where = kElsewhere.find(golden.id); where != kElsewhere.end()) {
      std::printf("pending: %s (%s)\n", golden.id.c_str(), where->second.c_str());
    } else {
      ADD_FAILURE() << "nothing computes this set";
    }
  }
}

}  // namespace
}  // namespace seedbed::testing
