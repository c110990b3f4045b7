#include "fit/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace seedbed::fit {
namespace {

// 1 at the start, 0 at the end of the decay.
double remaining(const ScheduleSettings& schedule, std::int64_t position, std::int64_t total) {
  const std::int64_t start = schedule.restart_after_warmup ? schedule.warmup_steps : 0;
  const double stretched = schedule.stretch * static_cast<double>(total);
  const double length = std::max(1.0, stretched - static_cast<double>(start));
  return 1.0 - static_cast<double>(position - start) / length;
}

double poly(const ScheduleSettings& schedule, std::int64_t position, std::int64_t total) {
  return std::pow(remaining(schedule, position, total), schedule.power);
}

double warmup(const ScheduleSettings& schedule, std::int64_t position) {
  const double share = static_cast<double>(position) / static_cast<double>(schedule.warmup_steps);
  return 1.0 - (1.0 - share) * (1.0 - schedule.warmup_ratio);
}

// The released PolyWarmupSGD falls from ten times the base rate instead of rising to it.
double released_warmup(const ScheduleSettings& schedule, std::int64_t position) {
  const double share = static_cast<double>(position) / static_cast<double>(schedule.warmup_steps);
  return 10.0 * std::pow(1.0 - share, schedule.power);
}

double steps(const ScheduleSettings& schedule, std::int64_t position) {
  const auto passed = std::count_if(schedule.milestones.begin(), schedule.milestones.end(),
                                    [&](std::int64_t milestone) { return position >= milestone; });
  return std::pow(schedule.gamma, static_cast<double>(passed));
}

double cosine(const ScheduleSettings& schedule, std::int64_t position, std::int64_t total) {
  const double angle = std::numbers::pi * (1.0 - remaining(schedule, position, total));
  return schedule.minimum_ratio + (1.0 - schedule.minimum_ratio) * 0.5 * (1.0 + std::cos(angle));
}

double factor(const ScheduleSettings& schedule, std::int64_t position, std::int64_t total) {
  const bool warming = position < schedule.warmup_steps;
  switch (schedule.kind) {
    case ScheduleKind::constant:
      return 1.0;
    case ScheduleKind::poly:
      return poly(schedule, position, total);
    case ScheduleKind::poly_warmup:
      return warming ? warmup(schedule, position) : poly(schedule, position, total);
    case ScheduleKind::step:
      return steps(schedule, position);
    case ScheduleKind::cosine:
      return warming ? warmup(schedule, position) : cosine(schedule, position, total);
    case ScheduleKind::poly_warmup_sgd_released:
      return warming ? released_warmup(schedule, position) : poly(schedule, position, total);
  }
  return 1.0;
}

}  // namespace

double learning_rate_at(const ScheduleSettings& schedule, double base_rate, std::int64_t position, std::int64_t total) {
  const std::int64_t last = std::max<std::int64_t>(0, total - 1);
  const std::int64_t held = std::min(position, last) / schedule.update_every * schedule.update_every;
  return base_rate * factor(schedule, held, total);
}

}  // namespace seedbed::fit
