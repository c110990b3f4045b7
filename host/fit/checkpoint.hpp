#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "seedbed/module.hpp"
#include "seedbed/types.hpp"

namespace seedbed::fit {

/// What is written in the middle of a fit, and read when it goes on.
struct ResumePoint {
  std::int64_t step = 0;                      ///< steps done
  std::map<std::string, NamedTensors> parts;  ///< "module", "teacher", "optimiser", "store", "best"
  nlohmann::ordered_json state;               ///< all that is no tensor: curves, loss scale, what the loader counted
};

void write_resume_point(const std::filesystem::path& file, const ResumePoint& point);

/// nullopt where there is no such file. Throws: UserError for a damaged one.
std::optional<ResumePoint> read_resume_point(const std::filesystem::path& file);

/// The checkpoint of a finished fit: the state of its result under its own names, a teacher's beside it under "teacher/",
/// the map stores' under "store/".
NamedTensors checkpoint_tensors(const NamedTensors& module, const NamedTensors& teacher, const NamedTensors& stores);

/// The module's part of a checkpoint.
NamedTensors module_part(const NamedTensors& checkpoint);

}  // namespace seedbed::fit
