#pragma once

#include "protocol/stage.hpp"
#include "seedbed/manifest.hpp"

namespace seedbed::plugin {

/// The binding's parameters as the manifest types them; file parameters are the paths in `files`.
/// Throws: ContractError for one that is absent, of another type, out of range or unknown.
ParameterValues binding_parameters(const protocol::MethodBinding& binding, const MethodManifest& manifest);

}  // namespace seedbed::plugin
