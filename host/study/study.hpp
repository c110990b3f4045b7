#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "dataset/dataset.hpp"
#include "manifest/catalogue.hpp"

// A study file, checked and resolved. This room is the only one that sees TOML++.
namespace seedbed::study {

using Json = nlohmann::ordered_json;

/// One grid point: a resolved configuration (see RESOLVED.md for every key) and where it stands in the grid.
struct Cell {
  std::vector<std::pair<std::string, std::string>> levels;               ///< axis -> label, in order of the axes
  std::vector<std::vector<std::pair<std::string, std::string>>> folded;  ///< further points with the same configuration
  Json resolved;
};

/// A grid point left out, and why.
struct Exclusion {
  std::vector<std::pair<std::string, std::string>> levels;
  std::string reason;
};

struct Study {
  std::string name;
  std::filesystem::path file;
  std::string resolved_toml;  ///< the composed file after extends and --set, as it is stored
  std::vector<std::int64_t> random_seeds;
  std::vector<std::string> axes;  ///< names, in order
  std::vector<Cell> cells;
  std::vector<Exclusion> exclusions;
  Json report = Json::object();     ///< the [report] table
  Json execution = Json::object();  ///< device, threads, workers, isolation, key_policy
  std::int64_t images_limit = 0;    ///< of `run --images N`; 0 = all
};

struct ReadOptions {
  std::vector<std::string> sets;  ///< "key=value" of --set, in order
  std::int64_t images_limit = 0;
  bool allow_missing_files = false;  ///< `doctor` lists weights and files that are not there; elsewhere they are errors
};

/// Reads, composes (extends), expands the grid and checks everything against the catalogue's manifests.
/// Throws: UserErrors with every semantic error of the file at once (file:line:column, nearest name, what would be
/// accepted); a syntax error comes alone.
Study read_study(const std::filesystem::path& file, const manifest::Catalogue& catalogue, const ReadOptions& options);

}  // namespace seedbed::study
