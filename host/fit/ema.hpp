#pragma once

#include "seedbed/module.hpp"

namespace seedbed::fit {

/// teacher <- decay * teacher + (1 - decay) * student for parameters; buffers (running statistics) are copied.
/// Requires: modules of one shape. Throws: ContractError where names or shapes differ.
void follow(Module& teacher, const Module& student, double decay);

/// Makes the teacher equal to the student, without gradients of its own.
void become(Module& teacher, const Module& student);

}  // namespace seedbed::fit
