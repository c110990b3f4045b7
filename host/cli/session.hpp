#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "manifest/catalogue.hpp"
#include "study/study.hpp"

namespace seedbed::cli {

inline constexpr int kExitDone = 0;
inline constexpr int kExitUserError = 2;
inline constexpr int kExitFailed = 3;
inline constexpr int kExitInterrupted = 130;

/// Flags that every verb understands.
struct Session {
  std::filesystem::path store = "results/seedbed.db";
  std::vector<std::filesystem::path> plugin_path;
  std::int64_t workers = 0;  ///< 0 = as many as fit the cores
  std::int64_t threads = 0;  ///< 0 = as the study says
  bool builtin_only = false;
  bool json = false;
  bool quiet = false;
  int status = kExitDone;  ///< what the verb came to

  manifest::Catalogue catalogue() const;
};

/// How a verb was told to read a study.
struct StudyFlags {
  std::filesystem::path file;
  std::vector<std::string> sets;
  std::int64_t images = 0;
  bool allow_missing_files = false;  ///< `doctor` lists them
};

/// Reads the study; --threads counts as a --set.
study::Study read_study(const Session& session, const StudyFlags& flags, const manifest::Catalogue& catalogue);

/// Prints `json` on standard output, indented.
void print_json(const nlohmann::ordered_json& json);

}  // namespace seedbed::cli
