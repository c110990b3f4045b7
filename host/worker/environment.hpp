#pragma once

#include "protocol/stage.hpp"

namespace seedbed::worker {

/// What a number may depend on besides its stage: versions, processor capability, devices, threads.
protocol::Json environment();

}  // namespace seedbed::worker
