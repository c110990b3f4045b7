#pragma once

#include "plugin/registry.hpp"
#include "protocol/stage.hpp"

namespace seedbed::worker {

/// Answers a question that needs tensors, codecs or plugins, but no stage: see host/stages/README.md.
/// Throws: UserError for a question that is not known, and what the answer's making throws.
protocol::Json answer(const protocol::Json& request, plugin::Registry& registry);

}  // namespace seedbed::worker
