#pragma once

#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "fit/train_settings.hpp"
#include "seedbed/trainable.hpp"
#include "seedbed/types.hpp"

namespace seedbed::fit {

/// Changes the parameters of some groups by their gradients. A parameter without a gradient is left alone, weight
/// decay included. Threads: [one-at-a-time].
class Optimiser {
 public:
  virtual ~Optimiser() = default;

  /// One step at `learning_rate`, multiplied by each group's factor.
  void step(double learning_rate);

  /// Drops all gradients, so that a parameter that the next step does not reach has none.
  void drop_gradients();

  /// Every parameter of every group.
  std::vector<at::Tensor> parameters() const;

  /// The running moments by name, and back. Requires: the same groups in the same order.
  NamedTensors state() const;
  void load_state(const NamedTensors& state);

 protected:
  explicit Optimiser(std::vector<ParameterGroup> groups) : groups_(std::move(groups)) {}

  /// What is remembered for one parameter.
  struct Slot {
    std::map<std::string, at::Tensor> moments;
    std::int64_t steps = 0;
  };

  virtual void update(const at::Tensor& parameter, double learning_rate, double weight_decay_factor, Slot& slot) = 0;

 private:
  std::vector<ParameterGroup> groups_;
  std::vector<std::vector<Slot>> slots_ = {};
};

std::unique_ptr<Optimiser> make_optimiser(const OptimiserSettings& settings, std::vector<ParameterGroup> groups);

/// Scales all gradients down so that their joint norm is at most `limit`, and returns the norm before.
double clip_gradients(const std::vector<at::Tensor>& parameters, double limit);

}  // namespace seedbed::fit
