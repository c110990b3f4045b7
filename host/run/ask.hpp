#pragma once

#include <filesystem>

#include "protocol/stage.hpp"

namespace seedbed::run {

/// Asks a fresh worker one question that needs LibTorch or a codec (host/stages/README.md lists them) and returns its
/// answer. Throws: UserError with the worker's own words; ContractError where it dies or talks nonsense.
protocol::Json ask_worker(const std::filesystem::path& worker_program, const protocol::Json& request);

}  // namespace seedbed::run
