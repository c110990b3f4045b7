#pragma once

#include <memory>

#include "contract/methods_under_test.hpp"
#include "seedbed/backbone.hpp"

namespace seedbed::testing {

/// The variant's backbone with initial values of random seed 1, made once a program: drawing a hundred million numbers takes
/// longer than most promises. Comes as it was made, whatever the last test did: in evaluation mode, with its first
/// buffers, without gradients. Tests may change all of that, but no parameter's values.
/// Throws: UserError where the variant's parameters do not fit each other.
std::shared_ptr<Backbone> shared_backbone(const MethodVariant& variant);

}  // namespace seedbed::testing
