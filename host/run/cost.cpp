#include "run/cost.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "protocol/metric_names.hpp"

namespace seedbed::run {
namespace {

// Classes that an image shows, on VOC's training images: as many times it passes the network for each step of a curve.
constexpr double kClassesOfAnImage = 1.5;

double steps_of_curves(const protocol::Json& settings) {
  double steps = 0;
  for (const auto& name : protocol::metric_names_from(settings.value("metrics", std::vector<std::string>())))
    steps += name.number + 1;
  return steps;
}

// Passes over an image that an operation makes, relative to one forward pass.
double passes(const plan::PlannedStage& stage) {
  const protocol::StageSpec& spec = stage.spec;
  if (spec.type == protocol::StageType::fit) {
    const double epochs = spec.settings.value("epochs", 0.0);
    return 3.0 * std::max(1.0, epochs);
  }
  if (spec.operation == "seeds" || spec.operation == "predict") {
    double area = 0;
    for (const auto& scale : spec.settings.value("scales", std::vector<double>{1.0})) area += scale * scale;
    return std::max(0.25, area) * (spec.settings.value("flip", false) ? 2 : 1);
  }
  if (spec.operation == "causal") return kClassesOfAnImage * steps_of_curves(spec.settings);
  return spec.operation == "refine" ? 1.0 : 0.1;
}

double units(const plan::PlannedStage& stage) {
  return passes(stage) * static_cast<double>(std::max<std::size_t>(1, stage.spec.image_ids.size()));
}

constexpr double kGuessedSecondsPerUnit = 0.02;

}  // namespace

double CostModel::seconds(const plan::PlannedStage& stage) const {
  const auto seen = seen_.find(stage.spec.operation);
  const bool known = seen != seen_.end() && seen->second.units > 0;
  return units(stage) * (known ? seen->second.seconds / seen->second.units : kGuessedSecondsPerUnit);
}

void CostModel::observe(const plan::PlannedStage& stage, double seconds) {
  Seen& seen = seen_[stage.spec.operation];
  seen.units += units(stage);
  seen.seconds += seconds;
}

std::string clock_text(double seconds) {
  const auto whole = static_cast<long>(std::lround(std::max(0.0, seconds)));
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

}  // namespace seedbed::run
