#include "fit/train_settings.hpp"

#include "seedbed/error.hpp"

namespace seedbed::fit {
namespace {

template <typename Enum>
using Names = std::map<std::string, Enum, std::less<>>;

const Names<OptimiserKind> kOptimisers{{"sgd", OptimiserKind::sgd},
                                       {"adam", OptimiserKind::adam},
                                       {"adamw", OptimiserKind::adamw},
                                       {"sgd_poly_released", OptimiserKind::sgd_poly_released}};
const Names<ScheduleKind> kSchedules{
    {"constant", ScheduleKind::constant},       {"poly", ScheduleKind::poly},
    {"poly_warmup", ScheduleKind::poly_warmup}, {"step", ScheduleKind::step},
    {"cosine", ScheduleKind::cosine},           {"poly_warmup_sgd_released", ScheduleKind::poly_warmup_sgd_released}};
const Names<bool> kScheduleUnits{{"step", false}, {"epoch", true}};
const Names<Precision> kPrecisions{
    {"float32", Precision::float32}, {"bfloat16", Precision::bfloat16}, {"float16", Precision::float16}};
const Names<bool> kCheckpoints{{"last", false}, {"best", true}};
const Names<bool> kNetworks{{"student", false}, {"teacher", true}};

/// A table of settings and where it stands: "train", "train.optimisers.adversary".
struct TableAt {
  const Json& json;
  std::string where;

  std::string place_of(const char* key) const { return where + "." + key; }
};

template <typename T>
void read(const TableAt& table, const char* key, T& value) {
  if (!table.json.contains(key)) return;
  try {
    value = table.json.at(key).get<T>();
  } catch (const Json::exception&) {
    throw ContractError("train", "a resolved table has declared types", "a value for `" + table.place_of(key) + "`",
                        table.json.at(key).dump());
  }
}

void read(const TableAt& table, const char* key, std::optional<double>& value) {
  if (!table.json.contains(key)) return;
  double number = 0;
  read(table, key, number);
  value = number;
}

template <typename Value>
void read_name(const TableAt& table, const char* key, const Names<Value>& names, Value& value) {
  std::string name;
  read(table, key, name);
  if (name.empty()) return;
  const auto found = names.find(name);
  if (found == names.end()) {
    std::string legal;
    for (const auto& [known, ignored] : names) legal += (legal.empty() ? "`" : ", `") + known + "`";
    throw UserError(table.place_of(key), "The name is unknown: `" + name + "`.", "accepted: " + legal);
  }
  value = found->second;
}

void require(bool legal, const TableAt& table, const char* key, const std::string& accepted) {
  if (!legal)
    throw UserError(table.place_of(key), "The value makes no sense for `" + std::string(key) + "`.", accepted);
}

void read_schedule(const TableAt& table, ScheduleSettings& schedule) {
  read_name(table, "schedule", kSchedules, schedule.kind);
  read_name(table, "schedule_unit", kScheduleUnits, schedule.by_epoch);
  read(table, "power", schedule.power);
  read(table, "warmup_steps", schedule.warmup_steps);
  read(table, "warmup_ratio", schedule.warmup_ratio);
  read(table, "restart_after_warmup", schedule.restart_after_warmup);
  read(table, "minimum_ratio", schedule.minimum_ratio);
  read(table, "milestones", schedule.milestones);
  read(table, "gamma", schedule.gamma);
  read(table, "update_every", schedule.update_every);
  require(schedule.update_every >= 1, table, "update_every", "at least 1");
  read(table, "schedule_stretch", schedule.stretch);
  require(schedule.stretch >= 1.0, table, "schedule_stretch", "at least 1");
  require(schedule.warmup_steps >= 0, table, "warmup_steps", "at least 0");
}

void read_optimiser(const TableAt& table, OptimiserSettings& optimiser) {
  read_name(table, "optimiser", kOptimisers, optimiser.kind);
  read(table, "learning_rate", optimiser.learning_rate);
  read(table, "momentum", optimiser.momentum);
  read(table, "nesterov", optimiser.nesterov);
  read(table, "weight_decay", optimiser.weight_decay);
  read(table, "beta1", optimiser.beta1);
  read(table, "beta2", optimiser.beta2);
  read(table, "epsilon", optimiser.epsilon);
  read_schedule(table, optimiser.schedule);
  require(optimiser.learning_rate > 0, table, "learning_rate", "a number above 0");
  require(optimiser.weight_decay >= 0, table, "weight_decay", "at least 0");
  require(optimiser.momentum >= 0 && optimiser.momentum < 1, table, "momentum", "at least 0, below 1");
}

template <typename Read>
void for_each_named(const TableAt& table, const char* key, Read read_one) {
  const Json named = table.json.value(key, Json::object());
  for (const auto& [name, below] : named.items()) read_one(name, TableAt{below, table.place_of(key) + "." + name});
}

void read_named_tables(const TableAt& table, TrainSettings& settings) {
  for_each_named(table, "optimisers", [&](const std::string& name, const TableAt& below) {
    OptimiserSettings optimiser = settings.optimiser;
    read_optimiser(below, optimiser);
    settings.optimisers[name] = optimiser;
  });
  for_each_named(table, "groups", [&](const std::string& name, const TableAt& below) {
    read(below, "learning_rate_factor", settings.groups[name].learning_rate_factor);
    read(below, "weight_decay_factor", settings.groups[name].weight_decay_factor);
  });
  for_each_named(table, "terms", [&](const std::string& name, const TableAt& below) {
    read(below, "weight", settings.terms[name].weight);
    read(below, "from", settings.terms[name].from);
    read(below, "to", settings.terms[name].to);
  });
}

void check(const TrainSettings& settings, const TableAt& table) {
  const auto needs = [&](bool legal, const char* key, const char* accepted) { require(legal, table, key, accepted); };
  needs((settings.epochs > 0) != (settings.steps > 0), "epochs", "give either `epochs` or `steps`, at least 1");
  needs(settings.accumulate >= 1, "accumulate", "at least 1");
  needs(settings.clip_norm >= 0, "clip_norm", "at least 0; 0 does not clip");
  needs(settings.ema_decay >= 0 && settings.ema_decay < 1, "ema_decay", "at least 0, below 1; 0 keeps no teacher");
  needs(!settings.keeps_teacher || settings.ema_decay > 0, "checkpoint_of", "`student`, or an `ema_decay` above 0");
  needs(!settings.keeps_best || table.json.contains("validate"), "checkpoint", "`last`, or a `validate` table");
  needs(settings.validate_every >= 0, "validate", "`every` of at least 0 steps; 0 validates after each epoch");
  needs(settings.checkpoint_every >= 0, "checkpoint_every", "at least 0; 0 writes one at the end only");
}

}  // namespace

Precision precision_from(const Json& table, const std::string& where) {
  Precision precision = Precision::float32;
  read_name({table, where}, "precision", kPrecisions, precision);
  return precision;
}

TrainSettings train_settings_from(const Json& json) {
  const TableAt table{json, "train"};
  TrainSettings settings;
  read_optimiser(table, settings.optimiser);
  read(table, "epochs", settings.epochs);
  read(table, "steps", settings.steps);
  read_name(table, "precision", kPrecisions, settings.precision);
  read(table, "clip_norm", settings.clip_norm);
  read(table, "accumulate", settings.accumulate);
  read(table, "ema_decay", settings.ema_decay);
  read(table, "ema_warmup", settings.ema_warmup);
  read_name(table, "checkpoint_of", kNetworks, settings.keeps_teacher);
  read_name(table, "checkpoint", kCheckpoints, settings.keeps_best);
  read(table, "checkpoint_every", settings.checkpoint_every);
  if (json.contains("validate")) read({json.at("validate"), "train.validate"}, "every", settings.validate_every);
  read_named_tables(table, settings);
  check(settings, table);
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
