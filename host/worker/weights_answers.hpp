#pragma once

#include "plugin/registry.hpp"
#include "protocol/stage.hpp"

namespace seedbed::worker {

// Questions about weights files: host/stages/README.md says what is asked and answered. Each throws UserError.
protocol::Json weights_info(const protocol::Json& request, plugin::Registry& registry);
protocol::Json weights_convert(const protocol::Json& request, plugin::Registry& registry);
protocol::Json weights_check(const protocol::Json& request, plugin::Registry& registry);

}  // namespace seedbed::worker
