#include "seedbed/map_tap.hpp"

#include <string>

#include "seedbed/error.hpp"

namespace seedbed {
namespace {

TapInfo tap_named(const Backbone& backbone, std::string_view name, std::string_view parameter) {
  try {
    return find_tap(backbone, name);
  } catch (const UserError& error) {
    throw UserError(std::string(parameter), error.message(), error.hint());
  }
}

std::string names_of_maps(const Backbone& backbone) {
  std::string names;
  for (const TapInfo& tap : backbone.taps()) {
    if (!tap.is_sequence) names += (names.empty() ? "`" : ", `") + tap.name + "`";
  }
  return names.empty() ? "another backbone: this one has no maps" : names;
}

}  // namespace

TapInfo find_map_tap(const Backbone& backbone, std::string_view name, std::string_view parameter) {
  TapInfo tap = tap_named(backbone, name, parameter);
  if (tap.is_sequence) {
    throw UserError(std::string(parameter), "a map is needed here, and this tap is a sequence: `" + tap.name + "`",
                    names_of_maps(backbone));
  }
  return tap;
}

}  // namespace seedbed
