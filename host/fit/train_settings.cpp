#include "fit/train_settings.hpp"

#include "seedbed/error.hpp"

namespace seedbed::fit {
namespace {

const std::map<std::string, OptimiserKind, std::less<>> kOptimisers{
    {"sgd", OptimiserKind::sgd},
    {"adam", OptimiserKind::adam},
    {"adamw", OptimiserKind::adamw},
    {"sgd_poly_released", OptimiserKind::sgd_poly_released}};
const std::map<std::string, ScheduleKind, std::less<>> kSchedules{
    {"constant", ScheduleKind::constant},
    {"poly", ScheduleKind::poly},
    {"poly_warmup", ScheduleKind::poly_warmup},
    {"step", ScheduleKind::step},
    {"cosine", ScheduleKind::cosine},
    {"poly_warmup_sgd_released", ScheduleKind::poly_warmup_sgd_released}};

template <typename T>
void read(const Json& table, const char* key, T& value) {
  if (!table.contains(key)) return;
  try {
    value = table.at(key).get<T>();
  } catch (const Json::exception& error) {
    throw ContractError("train", "a resolved table has declared types", std::string("a value for `") + key + "`",
                        table.at(key).dump());
  }
}

template <typename Enum>
void read_name(const Json& table, const char* key, const std::map<std::string, Enum, std::less<>>& names, Enum& value) {
  std::string name;
  read(table, key, name);
  if (name.empty()) return;
  const auto found = names.find(name);
  if (found == names.end()) {
    std::vector<std::string> legal;
    for (const auto& [known, ignored] : names) legal.push_back(known);
    throw UserError(std::string("train.") + key, "The name is unknown: `" + name + "`.",
                    "did you mean `" + nearest_name(name, legal) + "`?");
  }
  value = found->second;
}

void require(bool legal, const char* key, const std::string& accepted) {
  if (!legal) throw UserError(std::string("train.") + key, "The value makes no sense for `" + std::string(key) + "`.", accepted);
}

void read_schedule(const Json& table, ScheduleSettings& schedule) {
  read_name(table, "schedule", kSchedules, schedule.kind);
  read(table, "power", schedule.power);
  read(table, "warmup_steps", schedule.warmup_steps);
  read(table, "warmup_ratio", schedule.warmup_ratio);
  read(table, "restart_after_warmup", schedule.restart_after_warmup);
  read(table, "minimum_ratio", schedule.minimum_ratio);
  read(table, "milestones", schedule.milestones);
  read(table, "gamma", schedule.gamma);
  read(table, "update_every", schedule.update_every);
  std::string unit = "step";
  read(table, "schedule_unit", unit);
  require(unit == "step" || unit == "epoch", "schedule_unit", "`step` or `epoch`");
  schedule.by_epoch = unit == "epoch";
  require(schedule.update_every >= 1, "update_every", "at least 1");
  require(schedule.warmup_steps >= 0, "warmup_steps", "at least 0");
}

void read_groups(const Json& table, TrainSettings& settings) {
  const Json groups = table.value("groups", Json::object());
  for (const auto& [name, group] : groups.items()) {
    GroupFactors factors;
    read(group, "learning_rate_factor", factors.learning_rate_factor);
    read(group, "weight_decay_factor", factors.weight_decay_factor);
    settings.groups[name] = factors;
  }
  const Json terms = table.value("terms", Json::object());
  for (const auto& [name, term] : terms.items()) {
    TermSchedule schedule;
    read(term, "weight", schedule.weight);
    read(term, "from", schedule.from);
    read(term, "to", schedule.to);
    settings.terms[name] = schedule;
  }
}

void check(const TrainSettings& settings) {
  require((settings.epochs > 0) != (settings.steps > 0), "epochs", "give either `epochs` or `steps`, at least 1");
  require(settings.learning_rate > 0, "learning_rate", "a number above 0");
  require(settings.weight_decay >= 0, "weight_decay", "at least 0");
  require(settings.momentum >= 0 && settings.momentum < 1, "momentum", "at least 0, below 1");
  require(settings.accumulate >= 1, "accumulate", "at least 1");
  require(settings.clip_norm >= 0, "clip_norm", "at least 0; 0 does not clip");
  require(settings.ema_decay >= 0 && settings.ema_decay < 1, "ema_decay", "at least 0, below 1; 0 keeps no teacher");
  require(settings.checkpoint_every >= 0, "checkpoint_every", "at least 0; 0 writes one at the end only");
}

}  // namespace

TrainSettings train_settings_from(const Json& table) {
  TrainSettings settings;
  read_name(table, "optimiser", kOptimisers, settings.optimiser);
  read(table, "learning_rate", settings.learning_rate);
  read(table, "momentum", settings.momentum);
  read(table, "nesterov", settings.nesterov);
  read(table, "weight_decay", settings.weight_decay);
  read(table, "beta1", settings.beta1);
  read(table, "beta2", settings.beta2);
  read(table, "epsilon", settings.epsilon);
  read(table, "epochs", settings.epochs);
  read(table, "steps", settings.steps);
  read(table, "clip_norm", settings.clip_norm);
  read(table, "accumulate", settings.accumulate);
  read(table, "ema_decay", settings.ema_decay);
  read(table, "checkpoint_every", settings.checkpoint_every);
  read_schedule(table, settings.schedule);
  read_groups(table, settings);
  check(settings);
  return settings;
}

double term_weight(const TrainSettings& settings, std::string_view term, std::int64_t step) {
  const auto found = settings.terms.find(std::string(term));
  if (found == settings.terms.end()) return 1.0;
  const TermSchedule& schedule = found->second;
  const bool active = step >= schedule.from && (schedule.to == 0 || step < schedule.to);
  return active ? schedule.weight : 0.0;
}

}  // namespace seedbed::fit
