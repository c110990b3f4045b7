#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/stage.hpp"

namespace seedbed::protocol {

/// The revision of an operation's code in the host: same revision, same settings, same inputs -> same numbers. It
/// enters every stage key; raise it whenever the numbers of an operation change.
/// Throws: ContractError for an operation that the type does not have.
std::int64_t host_revision(StageType type, std::string_view operation);

}  // namespace seedbed::protocol
