#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "seedbed/backbone.hpp"

namespace seedbed::plugin {

/// Gives a backbone its weights. `strict` wants every tensor of the backbone filled and every entry of the file used,
/// its classifier's and batch counters excepted; otherwise only something must fit. Parameters that the file left as they
/// were are marked as new (Module::mark_new).
///
/// Returns: the entries that had no place; of a load that is not strict also what was misshapen or missing.
/// Throws: UserError listing what is missing, left over and misshapen.
std::vector<std::string> load_backbone_weights(Backbone& backbone, const NamedTensors& tensors, bool strict,
                                               std::string_view where);

/// Checkpoints of a whole model hold its backbone's tensors under "backbone."; weights files do not.
NamedTensors backbone_part(const NamedTensors& tensors);

}  // namespace seedbed::plugin
