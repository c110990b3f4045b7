#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "report/sheet.hpp"

namespace seedbed::report {

struct CellsOptions {
  std::string study;             ///< "" = the one run last
  bool stages = false;           ///< text formats: the stages too, not only those that failed
  bool unfinished_only = false;  ///< leave out cells that are done
};

struct StageLine {
  std::string key, label, type, node, role, state;
  std::string cause, message, hint, log_file;  ///< of the newest attempt
  std::int64_t exit_signal = 0;
  std::int64_t attempts = 0;
  std::optional<double> seconds;  ///< of the attempt whose result counts
  std::int64_t peak_memory_bytes = 0;
  std::int64_t num_cells = 0;  ///< cells of this study that need it
};

struct CellLine {
  std::int64_t point = 0;
  std::int64_t random_seed = 0;
  std::string levels;
  std::string state;
  std::int64_t done = 0;            ///< stages
  double seconds = 0;               ///< of its stages, shared ones included
  std::vector<std::size_t> stages;  ///< indices into CellsReport::stages
};

struct CellsReport {
  std::string study;
  std::int64_t images_limit = 0;
  std::vector<CellLine> cells;
  std::vector<StageLine> stages;  ///< each once, inputs first
};

/// Every cell of a study with its stages, their states, attempts, times and logs.
/// Throws: UserError for a study that is not there, with the nearest name.
CellsReport cells_report(const store::Store& store, const CellsOptions& options);

std::string rendered(const CellsReport& report, const CellsOptions& options, Format format);

}  // namespace seedbed::report
