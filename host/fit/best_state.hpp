#pragma once

#include <cstdint>

#include "fit/loss_log.hpp"
#include "fit/train_settings.hpp"
#include "seedbed/module.hpp"
#include "seedbed/types.hpp"

namespace seedbed::fit {

/// The course of a fit's validation, and a copy of the state that did best, where that is wanted.
class BestState {
 public:
  explicit BestState(bool keeps_tensors) : keeps_tensors_(keeps_tensors) {}

  /// A validation after `step` steps gave `value`, higher being better. Of equal values the earliest stays.
  void offer(std::int64_t step, double value, const Module& module);

  bool any() const { return !course_.steps.empty(); }
  std::int64_t step() const { return step_; }
  double value() const { return value_; }
  const LossCurve& course() const { return course_; }
  const NamedTensors& tensors() const { return tensors_; }

  Json state() const;
  void load_state(const Json& state, NamedTensors tensors);

 private:
  bool keeps_tensors_;
  std::int64_t step_ = 0;
  double value_ = 0;
  LossCurve course_;
  NamedTensors tensors_;
};

}  // namespace seedbed::fit
