#include "fit/precision.hpp"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"

namespace seedbed::fit {
namespace {

constexpr double kGrowth = 2.0;
constexpr double kBackoff = 0.5;
constexpr std::int64_t kGoodStepsToGrow = 2000;

at::ScalarType type_of(Precision precision) { return precision == Precision::float16 ? at::kHalf : at::kBFloat16; }

bool all_finite(const std::vector<at::Tensor>& parameters) {
  for (const at::Tensor& parameter : parameters) {
    if (parameter.grad().defined() && !at::isfinite(parameter.grad()).all().item<bool>()) return false;
  }
  return true;
}

}  // namespace

void check_precision(Precision precision, c10::Device device, const std::string& where) {
  if (precision != Precision::float16 || !device.is_cpu()) return;
  throw UserError(where, "`float16` needs a GPU, and this stage runs on the processor.",
                  "`bfloat16` or `float32`, or `execution.device = \"cuda:0\"`");
}

AutocastScope::AutocastScope(Precision precision, c10::Device device)
    : active_(precision != Precision::float32), device_(device.type()) {
  if (!active_) return;
  was_enabled_ = at::autocast::is_autocast_enabled(device_);
  previous_type_ = at::autocast::get_autocast_dtype(device_);
  at::autocast::set_autocast_dtype(device_, type_of(precision));
  at::autocast::set_autocast_enabled(device_, true);
  // What a backward pass that computes activations again has cast is of the weights before the last step.
  if (at::autocast::increment_nesting() == 1) at::autocast::clear_cache();
}

AutocastScope::~AutocastScope() {
  if (!active_) return;
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_, was_enabled_);
  at::autocast::set_autocast_dtype(device_, previous_type_);
}

bool LossScaler::unscale(const std::vector<at::Tensor>& parameters) {
  if (!scales_) return true;
  const c10::NoGradGuard no_gradients;
  if (!all_finite(parameters)) {
    scale_ *= kBackoff;
    good_steps_ = 0;
    ++steps_left_out_;
    return false;
  }
  for (const at::Tensor& parameter : parameters) {
    if (parameter.grad().defined()) parameter.mutable_grad().mul_(1.0 / scale_);
  }
  if (++good_steps_ == kGoodStepsToGrow) {
    scale_ *= kGrowth;
    good_steps_ = 0;
  }
  return true;
}

Json LossScaler::state() const {
  return {{"scale", scale_}, {"good_steps", good_steps_}, {"steps_left_out", steps_left_out_}};
}

void LossScaler::load_state(const Json& state) {
  scale_ = state.at("scale");
  good_steps_ = state.at("good_steps");
  steps_left_out_ = state.at("steps_left_out");
}

}  // namespace seedbed::fit
