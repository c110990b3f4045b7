#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace seedbed::fit {

using Json = nlohmann::ordered_json;

enum class OptimiserKind { sgd, adam, adamw, sgd_poly_released };
enum class ScheduleKind { constant, poly, poly_warmup, step, cosine, poly_warmup_sgd_released };
enum class Precision { float32, bfloat16, float16 };

struct ScheduleSettings {
  ScheduleKind kind = ScheduleKind::constant;
  double power = 0.9;
  std::int64_t warmup_steps = 0;
  double warmup_ratio = 1e-6;            ///< of the base rate, at step 0
  bool restart_after_warmup = false;     ///< the decay counts from the end of the warm-up, not from step 0
  double minimum_ratio = 0.0;            ///< cosine: of the base rate, at the end
  std::vector<std::int64_t> milestones;  ///< step: where the rate is multiplied by `gamma`
  double gamma = 0.1;
  bool by_epoch = false;          ///< positions, milestones and warm-up count epochs
  std::int64_t update_every = 1;  ///< the rate changes only at multiples of this (DeepLab: 10)
  double stretch = 1.0;           ///< poly, cosine: the decay counts on this many times the fit's steps (BAS: 4)
};

struct OptimiserSettings {
  OptimiserKind kind = OptimiserKind::sgd;
  double learning_rate = 0.01;
  double momentum = 0.9;
  bool nesterov = false;
  double weight_decay = 0.0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  ScheduleSettings schedule;
};

/// What the study says of a group of parameters; the method's own factor stands where it says nothing.
struct GroupFactors {
  std::optional<double> learning_rate_factor;
  std::optional<double> weight_decay_factor;
};

/// Weight of a loss term in the steps [from, to).
struct TermSchedule {
  double weight = 1.0;
  std::int64_t from = 0;
  std::int64_t to = 0;  ///< 0 = to the end
};

/// The `train` table, resolved.
struct TrainSettings {
  OptimiserSettings optimiser;                          ///< of the groups that name `main`
  std::map<std::string, OptimiserSettings> optimisers;  ///< of the groups that name another
  std::int64_t epochs = 0;                              ///< exactly one of `epochs` and `steps` is not 0
  std::int64_t steps = 0;
  Precision precision = Precision::float32;
  double clip_norm = 0.0;             ///< 0 = gradients are not clipped
  std::int64_t accumulate = 1;        ///< batches that make up one step
  double ema_decay = 0.0;             ///< 0 = no teacher
  bool ema_warmup = false;            ///< the decay rises to `ema_decay`, see ema_decay_at()
  bool keeps_teacher = false;         ///< the fit's result is the teacher, not the student
  bool keeps_best = false;            ///< the fit's result is the state of the best validation, not the last one
  std::int64_t validate_every = 0;    ///< steps between validations; 0 = at every end of an epoch
  std::int64_t checkpoint_every = 0;  ///< steps; 0 = only when asked to stop
  std::map<std::string, GroupFactors> groups;  ///< overrides by group name
  std::map<std::string, TermSchedule> terms;   ///< overrides by term name
};

/// Reads `precision` of a table, float32 where it is absent. Throws: UserError for an unknown name.
Precision precision_from(const Json& table, const std::string& where);

/// Reads the keys that concern fitting; what concerns the loader (`batch_size`, `augment` ...) is left to it.
/// Throws: UserError for a value that makes no sense, naming the key; ContractError for a wrong type.
TrainSettings train_settings_from(const Json& table);

/// Weight of `term` at `step`: 1 where the table does not name it.
double term_weight(const TrainSettings& settings, std::string_view term, std::int64_t step);

}  // namespace seedbed::fit
