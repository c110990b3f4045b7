#include "weights/likely_names.hpp"

#include <cstddef>
#include <string_view>

#include "seedbed/error.hpp"

namespace seedbed::weights {
namespace {

// Takes the part behind the last dot off.
std::string_view take_last_part(std::string_view& name) {
  const std::size_t dot = name.rfind('.');
  const std::string_view part = dot == std::string_view::npos ? name : name.substr(dot + 1);
  name = dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
  return part;
}

std::size_t parts_in_common(std::string_view a, std::string_view b) {
  std::size_t count = 0;
  while (!a.empty() && !b.empty() && take_last_part(a) == take_last_part(b)) ++count;
  return count;
}

std::string likely_name(const std::string& wanted, const std::vector<std::string>& present) {
  // "weight" alone says nothing; "0.conv1.weight" does.
  constexpr std::size_t kTelling = 3;
  std::size_t most = 0;
  const std::string* best = nullptr;
  for (const std::string& name : present) {
    const std::size_t parts = parts_in_common(wanted, name);
    if (parts <= most) continue;
    most = parts;
    best = &name;
  }
  return most >= kTelling ? *best : nearest_name(wanted, present);
}

}  // namespace

std::vector<std::string> likely_names(const std::vector<std::string>& wanted, const std::vector<std::string>& present) {
  std::vector<std::string> names;
  names.reserve(wanted.size());
  for (const std::string& name : wanted) names.push_back(likely_name(name, present));
  return names;
}

}  // namespace seedbed::weights
