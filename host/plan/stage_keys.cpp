#include "plan/stage_keys.hpp"

#include <nlohmann/json.hpp>

#include "digest/sha256.hpp"

namespace seedbed::plan {

std::string stage_key(const Json& key_parts) {
  // nlohmann::json sorts members, ordered_json keeps the order of insertion: the key must not depend on it.
  return digest::sha256_hex(nlohmann::json(key_parts).dump());
}

}  // namespace seedbed::plan
