#pragma once

#include <string_view>

#include "seedbed/backbone.hpp"
#include "seedbed/export.hpp"

namespace seedbed {

/// The tap `name` of `backbone`, for a layer that reads maps. `parameter` is where a study names it.
/// Throws: UserError at `parameter` for an unknown tap (with the nearest name) and for a sequence (with the maps).
SEEDBED_API TapInfo find_map_tap(const Backbone& backbone, std::string_view name, std::string_view parameter);

}  // namespace seedbed
