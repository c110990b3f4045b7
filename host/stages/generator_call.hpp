#pragma once

#include <cstdint>

#include "fit/train_settings.hpp"
#include "seedbed/seed_generator.hpp"
#include "stages/models.hpp"

namespace seedbed::stages {

/// Asks a seed generator: the network computes in `precision`, results are float32, promises are checked. `thorough`:
/// whether the request is untouched is told by comparison with a copy, and not by version counters alone.
/// Throws: ContractError for a broken promise.
SeedResult ask_generator(GeneratorModel& model, const SeedRequest& request, fit::Precision precision,
                         std::int64_t num_classes, bool thorough);

}  // namespace seedbed::stages
