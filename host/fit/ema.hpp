#pragma once

#include <cstdint>

#include "fit/train_settings.hpp"
#include "seedbed/module.hpp"

namespace seedbed::fit {

/// The decay of the update after `steps_done` steps, counted from 1. With a warm-up it is that of Mean Teacher
/// (Tarvainen and Valpola, 2017): min(decay, 1 - 1 / (steps_done + 1)), so a young teacher is the mean of its students.
double ema_decay_at(const TrainSettings& settings, std::int64_t steps_done);

/// teacher <- decay * teacher + (1 - decay) * student for parameters; buffers (running statistics) are copied.
/// Requires: modules of one shape. Throws: ContractError where names or shapes differ.
void follow(Module& teacher, const Module& student, double decay);

/// Makes the teacher equal to the student, without gradients of its own.
void become(Module& teacher, const Module& student);

}  // namespace seedbed::fit
