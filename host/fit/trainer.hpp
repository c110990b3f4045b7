#pragma once

#include <filesystem>
#include <map>
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
  Trainable* teacher = nullptr;   ///< a second instance of the method where `ema_decay` is not 0
  BatchSource& batches;
  RunContext& run;
  TrainSettings settings;
  std::int64_t random_seed = 0;
  std::string operation;          ///< names the random streams, e.g. "fit.seed_generator"
  std::string method;             ///< id, for messages
  bool collects = false;          ///< trait `collects`: a gradient-free pass over the role comes first
  std::filesystem::path resume_file;  ///< "" = never written
};

struct FitOutcome {
  NamedTensors checkpoint;        ///< see checkpoint_tensors()
  std::int64_t steps = 0;
  std::int64_t epochs = 0;
  std::int64_t resumed_from_step = 0;
  std::int64_t parameters_trained = 0;
  double seconds_per_step = 0;
  std::map<std::string, LossCurve> curves;
  std::map<std::string, double> last_losses;
};

/// Fits the student: the same numbers whether or not the fit was killed and resumed in between.
///
/// Random streams are derived from (random seed, operation, step), so none has to be stored.
/// Throws: UserError naming the first loss term and step that is not finite; Cancelled after leaving a resume point.
FitOutcome fit(const FitJob& job);

}  // namespace seedbed::fit
