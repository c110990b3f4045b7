#pragma once

namespace seedbed::worker {

/// Greets the supervisor on the worker's descriptor and does what it asks until it says `leave` or is gone.
/// Returns: the exit status.
int serve();

}  // namespace seedbed::worker
