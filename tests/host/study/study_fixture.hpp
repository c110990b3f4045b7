#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "manifest/catalogue.hpp"
#include "study/study.hpp"
#include "support/temp_folder.hpp"

namespace seedbed::study {

/// The manifests of this tree's own plugins, read from their plugin.toml.
std::vector<PluginManifest> builtin_manifests();

/// Methods that the built-in ones do not stand for yet: they take and give other maps, are trained under conditions,
/// use others, need files. Vendor `toy`.
PluginManifest toy_manifest();

/// Both.
const manifest::Catalogue& test_catalogue();

/// Writes studies into a folder of its own and reads them.
class StudyTest : public ::testing::Test {
 protected:
  /// `scenes`, a backbone and `cam`; eight lines, so that what is added begins on line 9.
  static constexpr std::string_view kBase = R"(schema = 1
[dataset]
kind = "scenes"
roles = { train = "0..8", measure = "0..8", select = "8..12", test = "12..16" }
[backbone]
method = "small_cnn"
[seed_generator]
method = "cam"
)";

  Study read(std::string_view text, const std::vector<std::string>& sets = {}) const;
  Study read_with_base(std::string_view text, const std::vector<std::string>& sets = {}) const;

  /// The resolved configuration of a study's only cell, the base before it.
  Json only_cell(std::string_view text, const std::vector<std::string>& sets = {}) const;

  /// Everything that is wrong, as printed; "" where nothing is. The base comes before it.
  std::string errors_of(std::string_view text, const std::vector<std::string>& sets = {}) const;

  testing::TempFolder folder_;
};

/// "method = CAM, delta = 0.5".
std::string levels_of(const Cell& cell);

}  // namespace seedbed::study
