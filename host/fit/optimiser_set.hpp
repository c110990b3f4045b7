#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "fit/optimiser.hpp"
#include "fit/train_settings.hpp"
#include "seedbed/trainable.hpp"
#include "seedbed/types.hpp"

namespace seedbed::fit {

/// Where a fit is, in steps and epochs, for schedules that count either.
struct Position {
  std::int64_t step = 0;
  std::int64_t num_steps = 0;
  std::int64_t epoch = 0;
  std::int64_t num_epochs = 0;
};

/// The optimisers of a fit: `main`, and one for each further name that the method's groups carry. Those have the
/// settings of `train.optimisers.NAME`, or else of `train` itself. Threads: [one-at-a-time].
class OptimiserSet {
 public:
  /// Applies the study's `groups` factors over those that the method declares.
  /// Throws: UserError for a group or an optimiser that the method does not have, with the nearest one; ContractError
  /// for a parameter in two groups.
  OptimiserSet(const TrainSettings& settings, std::vector<ParameterGroup> groups);

  /// One step of each: gradients are clipped to `clip_norm` jointly for the parameters of one optimiser.
  void step(const Position& position);

  /// The base rate of each optimiser, by name, before the groups' factors.
  std::map<std::string, double> learning_rates(const Position& position) const;

  /// See Optimiser.
  void drop_gradients();
  std::vector<at::Tensor> parameters() const;

  /// State of all by name, and back. Requires: the same groups in the same order.
  NamedTensors state() const;
  void load_state(const NamedTensors& state);

 private:
  struct Entry {
    OptimiserSettings settings;
    std::unique_ptr<Optimiser> optimiser;
  };

  double clip_norm_;
  std::map<std::string, Entry> entries_;
};

}  // namespace seedbed::fit
