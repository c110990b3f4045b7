#pragma once

#include <string>

#include "protocol/stage.hpp"

namespace seedbed::plan {

using Json = nlohmann::ordered_json;

/// The key of a stage: SHA-256 of its parts in canonical form (members sorted, shortest numbers), 64 digits.
std::string stage_key(const Json& key_parts);

}  // namespace seedbed::plan
