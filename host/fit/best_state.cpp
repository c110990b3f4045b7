#include "fit/best_state.hpp"

#include <utility>

#include <ATen/ATen.h>

namespace seedbed::fit {

void BestState::offer(std::int64_t step, double value, const Module& module) {
  const bool is_best = !any() || value > value_;
  course_.steps.push_back(static_cast<double>(step));
  course_.values.push_back(value);
  if (!is_best) return;
  step_ = step;
  value_ = value;
  if (!keeps_tensors_) return;
  for (const auto& [name, tensor] : module.state())
    tensors_[name] = tensor.detach().to(at::kCPU, tensor.scalar_type(), false, true);
}

Json BestState::state() const {
  return {{"step", step_}, {"value", value_}, {"steps", course_.steps}, {"values", course_.values}};
}

void BestState::load_state(const Json& state, NamedTensors tensors) {
  step_ = state.at("step");
  value_ = state.at("value");
  course_ = {state.at("steps"), state.at("values")};
  tensors_ = std::move(tensors);
}

}  // namespace seedbed::fit
