#pragma once

#include "protocol/stage.hpp"
#include "stages/stage_context.hpp"

namespace seedbed::stages {

/// Runs a fit stage: trains the method on the role's images, writes its checkpoint, fills in the result.
void run_fit(const StageContext& context, protocol::StageResult& result);

}  // namespace seedbed::stages
