#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include "fit/train_settings.hpp"

namespace seedbed::fit {

/// Throws: UserError (at `where`, a key of the study) for a precision that the device cannot compute in: float16 needs a
/// GPU.
void check_precision(Precision precision, c10::Device device, const std::string& where);

/// While it lives, LibTorch's autocast computes what it holds to be safe in the lower precision; nothing for float32.
/// Parameters and their gradients stay float32. Cached casts of weights are dropped at the end of the scope, since the
/// next step changes the weights. Threads: begun and ended on one thread, whose mode it is.
class AutocastScope {
 public:
  AutocastScope(Precision precision, c10::Device device);
  ~AutocastScope();
  AutocastScope(const AutocastScope&) = delete;
  AutocastScope& operator=(const AutocastScope&) = delete;

 private:
  bool active_;
  c10::DeviceType device_;
  bool was_enabled_ = false;
  at::ScalarType previous_type_ = at::kFloat;
};

/// Keeps gradients of float16 within its range: losses are multiplied by the scale, gradients divided by it. A step
/// whose gradients overflow is left out and halves the scale; 2000 good ones in a row double it (Micikevicius et al.,
/// Mixed precision training, ICLR 2018; PyTorch's constants). Scale 1, and no step left out, for the other precisions.
class LossScaler {
 public:
  explicit LossScaler(Precision precision)
      : scales_(precision == Precision::float16), scale_(scales_ ? 65536.0 : 1.0) {}

  double scale() const { return scale_; }

  /// Divides all gradients by the scale and adapts it. Returns: whether the step may be done.
  bool unscale(const std::vector<at::Tensor>& parameters);

  std::int64_t steps_left_out() const { return steps_left_out_; }

  Json state() const;
  void load_state(const Json& state);

 private:
  bool scales_;
  double scale_;
  std::int64_t good_steps_ = 0;  ///< in a row
  std::int64_t steps_left_out_ = 0;
};

}  // namespace seedbed::fit
