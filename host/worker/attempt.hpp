#pragma once

#include <atomic>
#include <functional>

#include "protocol/stage.hpp"
#include "stages/group.hpp"

namespace seedbed::worker {

/// Where a worker's messages go.
using Send = std::function<void(const protocol::Json&)>;

/// Runs one group as a worker does: threads and memory as asked, log into the attempt's file, a result file a stage
/// in the inbox, messages through `send`. Returns false where the device was lost and the process should end.
bool run_attempt(const protocol::GroupRequest& request, stages::Session& session, const Send& send,
                 const std::atomic<bool>& cancelled);

}  // namespace seedbed::worker
