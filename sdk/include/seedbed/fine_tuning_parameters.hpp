#pragma once

#include "seedbed/fine_tuning.hpp"

namespace seedbed {

/// The options of a fine-tuned backbone out of a method's parameters, which have the same names in every manifest:
/// `freeze_backbone`, `batch_norm` ("running" or "batch"), `new_learning_rate_factor`, and, where the method lets biases
/// differ, `bias_learning_rate_factor` and `bias_weight_decay_factor` (else 1).
template <typename Parameters>
FineTuningOptions fine_tuning_options(const Parameters& parameters) {
  FineTuningOptions options{.freeze_backbone = parameters.freeze_backbone,
                            .batch_statistics = parameters.batch_norm == "batch",
                            .new_learning_rate_factor = parameters.new_learning_rate_factor};
  if constexpr (requires { parameters.bias_learning_rate_factor; }) {
    options.bias_learning_rate_factor = parameters.bias_learning_rate_factor;
    options.bias_weight_decay_factor = parameters.bias_weight_decay_factor;
  }
  return options;
}

}  // namespace seedbed
