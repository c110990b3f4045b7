#pragma once

#include <filesystem>
#include <optional>

#include <nlohmann/json.hpp>

#include "fit/map_stores.hpp"
#include "seedbed/module.hpp"
#include "seedbed/types.hpp"

namespace seedbed::fit {

/// What is written in the middle of a fit, and read when it goes on.
struct ResumePoint {
  std::int64_t step = 0;             ///< steps done
  NamedTensors module;
  NamedTensors teacher;              ///< empty without one
  NamedTensors optimiser;
  NamedTensors stores;
  nlohmann::ordered_json loss_log;
};

void write_resume_point(const std::filesystem::path& file, const ResumePoint& point);

/// nullopt where there is no such file. Throws: UserError for a damaged one.
std::optional<ResumePoint> read_resume_point(const std::filesystem::path& file);

/// The checkpoint of a finished fit: the module's state under its own names, a teacher's under "teacher/", the map
/// stores' under "store/".
NamedTensors checkpoint_tensors(const NamedTensors& module, const NamedTensors& teacher, const NamedTensors& stores);

/// The module's part of a checkpoint.
NamedTensors module_part(const NamedTensors& checkpoint);

}  // namespace seedbed::fit
