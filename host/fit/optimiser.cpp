#include "fit/optimiser.hpp"

#include <cmath>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"

namespace seedbed::fit {
namespace {

// PyTorch's SGD: the first step's buffer is the gradient itself.
class Sgd : public Optimiser {
 public:
  Sgd(const OptimiserSettings& settings, std::vector<ParameterGroup> groups)
      : Optimiser(std::move(groups)), settings_(settings) {}

 protected:
  void update(const at::Tensor& parameter, double learning_rate, double weight_decay_factor, Slot& slot) override {
    at::Tensor direction = parameter.grad();
    const double decay = settings_.weight_decay * weight_decay_factor;
    if (decay != 0) direction = direction.add(parameter, decay);
    if (settings_.momentum != 0) {
      at::Tensor& buffer = slot.moments["momentum"];
      if (buffer.defined()) {
        buffer.mul_(settings_.momentum).add_(direction);
      } else {
        buffer = direction.clone();
      }
      direction = settings_.nesterov ? direction.add(buffer, settings_.momentum) : buffer;
    }
    parameter.add_(direction, -learning_rate);
  }

 private:
  OptimiserSettings settings_;
};

// The published code hands the weight decay to the position where SGD takes its momentum; groups carry the decay.
OptimiserSettings released(OptimiserSettings settings) {
  settings.momentum = settings.weight_decay;
  settings.nesterov = false;
  return settings;
}

// Adam, and AdamW where the decay acts on the parameter and not on the gradient.
class Adam : public Optimiser {
 public:
  Adam(const OptimiserSettings& settings, std::vector<ParameterGroup> groups)
      : Optimiser(std::move(groups)), settings_(settings), decoupled_(settings.kind == OptimiserKind::adamw) {}

 protected:
  void update(const at::Tensor& parameter, double learning_rate, double weight_decay_factor, Slot& slot) override {
    const double decay = settings_.weight_decay * weight_decay_factor;
    at::Tensor gradient = parameter.grad();
    if (decoupled_) {
      parameter.mul_(1.0 - learning_rate * decay);
    } else if (decay != 0) {
      gradient = gradient.add(parameter, decay);
    }
    at::Tensor& mean = slot.moments["mean"];
    at::Tensor& square = slot.moments["square"];
    if (!mean.defined()) {
      mean = at::zeros_like(parameter);
      square = at::zeros_like(parameter);
    }
    mean.lerp_(gradient, 1.0 - settings_.beta1);
    square.mul_(settings_.beta2).addcmul_(gradient, gradient, 1.0 - settings_.beta2);
    const double steps = static_cast<double>(slot.steps);
    const double correction = std::sqrt(1.0 - std::pow(settings_.beta2, steps));
    const at::Tensor deviation = square.sqrt().div_(correction).add_(settings_.epsilon);
    parameter.addcdiv_(mean, deviation, -learning_rate / (1.0 - std::pow(settings_.beta1, steps)));
  }

 private:
  OptimiserSettings settings_;
  bool decoupled_;
};

}  // namespace

void Optimiser::step(double learning_rate) {
  const c10::NoGradGuard no_gradients;
  slots_.resize(groups_.size());
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const ParameterGroup& group = groups_[g];
    slots_[g].resize(group.parameters.size());
    for (std::size_t p = 0; p < group.parameters.size(); ++p) {
      if (!group.parameters[p].grad().defined()) continue;
      Slot& slot = slots_[g][p];
      slot.steps += 1;
      update(group.parameters[p], learning_rate * group.learning_rate_factor, group.weight_decay_factor, slot);
    }
  }
}

void Optimiser::drop_gradients() {
  for (const ParameterGroup& group : groups_) {
    for (const at::Tensor& parameter : group.parameters) parameter.mutable_grad() = at::Tensor();
  }
}

std::vector<at::Tensor> Optimiser::parameters() const {
  std::vector<at::Tensor> all;
  for (const ParameterGroup& group : groups_) all.insert(all.end(), group.parameters.begin(), group.parameters.end());
  return all;
}

NamedTensors Optimiser::state() const {
  NamedTensors state;
  for (std::size_t g = 0; g < slots_.size(); ++g) {
    for (std::size_t p = 0; p < slots_[g].size(); ++p) {
      const std::string name = std::to_string(g) + "." + std::to_string(p);
      state[name + ".steps"] = at::scalar_tensor(slots_[g][p].steps, at::kLong);
      for (const auto& [moment, tensor] : slots_[g][p].moments) state[name + "." + moment] = tensor;
    }
  }
  return state;
}

void Optimiser::load_state(const NamedTensors& state) {
  slots_.assign(groups_.size(), {});
  for (std::size_t g = 0; g < groups_.size(); ++g) slots_[g].resize(groups_[g].parameters.size());
  for (const auto& [name, tensor] : state) {
    const std::size_t first = name.find('.');
    const std::size_t second = name.find('.', first + 1);
    const std::size_t group = std::stoul(name.substr(0, first));
    const std::size_t parameter = std::stoul(name.substr(first + 1, second - first - 1));
    const std::string moment = name.substr(second + 1);
    if (group >= slots_.size() || parameter >= slots_[group].size()) {
      throw ContractError("parameter_groups", "groups are the same whenever a fit is resumed",
                          "a parameter `" + name + "`", "none");
    }
    Slot& slot = slots_[group][parameter];
    if (moment == "steps") {
      slot.steps = tensor.item<std::int64_t>();
    } else {
      slot.moments[moment] = tensor.to(groups_[group].parameters[parameter].device()).clone();
    }
  }
}

std::unique_ptr<Optimiser> make_optimiser(const OptimiserSettings& settings, std::vector<ParameterGroup> groups) {
  switch (settings.kind) {
    case OptimiserKind::sgd:
      return std::make_unique<Sgd>(settings, std::move(groups));
    case OptimiserKind::sgd_poly_released:
      return std::make_unique<Sgd>(released(settings), std::move(groups));
    case OptimiserKind::adam:
    case OptimiserKind::adamw:
      return std::make_unique<Adam>(settings, std::move(groups));
  }
  throw ContractError("train", "optimisers are declared ones", "a declared optimiser", "another");
}

double clip_gradients(const std::vector<at::Tensor>& parameters, double limit) {
  const c10::NoGradGuard no_gradients;
  double sum = 0;
  for (const at::Tensor& parameter : parameters) {
    if (!parameter.grad().defined()) continue;
    const double norm = parameter.grad().norm().item<double>();
    sum += norm * norm;
  }
  const double norm = std::sqrt(sum);
  const double scale = limit / (norm + 1e-6);
  if (scale >= 1.0) return norm;
  for (const at::Tensor& parameter : parameters) {
    if (parameter.grad().defined()) parameter.mutable_grad().mul_(scale);
  }
  return norm;
}

}  // namespace seedbed::fit
