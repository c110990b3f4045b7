#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "protocol/stage.hpp"

namespace seedbed::run {

/// Asks a fresh worker one question that needs LibTorch or a codec (host/stages/README.md lists them) and returns its
/// answer; `progress` hears of answers that take long. Throws: UserError with the worker's own words; ContractError where it dies or talks nonsense.
protocol::Json ask_worker(const std::filesystem::path& worker_program, const protocol::Json& request,
                          const std::function<void(std::int64_t done, std::int64_t total)>& progress = {});

}  // namespace seedbed::run
