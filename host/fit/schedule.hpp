#pragma once

#include <cstdint>

#include "fit/train_settings.hpp"

namespace seedbed::fit {

/// The learning rate in force at `position` of `total` steps (or epochs, as the settings say), counted from 0 and read
/// before the update. From `total` on it stays at its last value.
double learning_rate_at(const ScheduleSettings& schedule, double base_rate, std::int64_t position, std::int64_t total);

}  // namespace seedbed::fit
