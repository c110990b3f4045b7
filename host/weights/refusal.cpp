#include "weights/refusal.hpp"

#include <utility>

#include "seedbed/error.hpp"

namespace seedbed::weights {

void refuse(std::string_view where, std::string message, std::string hint) {
  throw UserError(std::string(where), std::move(message), std::move(hint));
}

std::string in_backticks(std::string_view text) {
  constexpr std::size_t kShown = 120;
  std::string result = "`";
  for (const char c : text.substr(0, kShown)) result += c >= ' ' && c <= '~' && c != '`' ? c : '?';
  return result + (text.size() > kShown ? "...`" : "`");
}

}  // namespace seedbed::weights
