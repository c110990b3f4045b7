#pragma once

#include <cstdint>
#include <functional>

#include "plugin/registry.hpp"
#include "protocol/stage.hpp"

namespace seedbed::worker {

/// Told while an answer takes long: how much is done, of how much.
using AskProgress = std::function<void(std::int64_t done, std::int64_t total)>;

/// Answers a question that needs tensors, codecs or plugins, but no stage: see host/stages/README.md.
/// Throws: UserError for a question that is not known, and what the answer's making throws.
protocol::Json answer(const protocol::Json& request, plugin::Registry& registry, const AskProgress& progress);

}  // namespace seedbed::worker
