#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "fit/batch_source.hpp"
#include "fit/loss_log.hpp"
#include "fit/train_settings.hpp"
#include "seedbed/run_context.hpp"
#include "seedbed/trainable.hpp"

namespace seedbed::fit {

/// Everything a fit needs. All references are borrowed for the call.
struct FitJob {
  Trainable& student;
  Trainable* teacher = nullptr;  ///< a second instance of the method where `ema_decay` is not 0
  BatchSource& batches;
  RunContext& run;
  TrainSettings settings;
  std::int64_t random_seed = 0;
  std::string operation;                   ///< names the random streams, e.g. "fit.seed_generator"
  std::string method;                      ///< id, for messages
  bool collects = false;                   ///< trait `collects`: a gradient-free pass over the role comes first
  std::filesystem::path resume_file = {};  ///< "" = never written

  /// The metric of the fit's result as it stands, higher being better; in evaluation mode, gradients off. Empty: none.
  std::function<double()> validate = {};

  /// Told after each step: the latest value of each loss term, before its weight.
  std::function<void(const std::map<std::string, double>& losses)> on_step = {};
};

/// What validating found, and which state became the fit's result.
struct Validated {
  LossCurve course;       ///< the metric over steps done
  std::int64_t step = 0;  ///< of the state that was kept: the best one, or the last
  double value = 0;       ///< its metric
};

struct FitOutcome {
  NamedTensors checkpoint;  ///< see checkpoint_tensors()
  std::int64_t steps = 0;
  std::int64_t epochs = 0;
  std::int64_t resumed_from_step = 0;
  std::int64_t parameters_trained = 0;
  std::int64_t steps_left_out = 0;  ///< float16: gradients overflowed
  double seconds_per_step = 0;
  std::map<std::string, LossCurve> curves;          ///< of loss terms
  std::map<std::string, LossCurve> learning_rates;  ///< by optimiser
  std::map<std::string, double> last_losses;
  std::optional<Validated> validated;
};

/// Fits the student: the same numbers whether or not the fit was killed and resumed in between.
///
/// Random streams are derived from (random seed, operation, step), so none has to be stored.
/// Throws: UserError naming the first loss term and step that is not finite, or a term that `train.terms` names and the
/// method did not give in a whole epoch; Cancelled after leaving a resume point.
FitOutcome fit(const FitJob& job);

}  // namespace seedbed::fit
