#include "seedbed/error.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace seedbed {
namespace {

std::string in_words(const std::string& where, const std::string& message, const std::string& hint) {
  std::string text = where.empty() ? message : where + ": " + message;
  return hint.empty() ? text : text + "\n  " + hint;
}

std::string in_words(const std::string& who, const std::string& promise, const std::string& expected,
                     const std::string& found) {
  return "`" + who + "` broke a promise: " + promise + "; expected " + expected + ", found " + found;
}

std::string where_of(const std::vector<UserError>& errors) { return errors.size() == 1 ? errors[0].where() : ""; }

std::string hint_of(const std::vector<UserError>& errors) { return errors.size() == 1 ? errors[0].hint() : ""; }

std::string message_of(const std::vector<UserError>& errors) {
  if (errors.empty()) throw std::logic_error("UserErrors needs at least one error");
  if (errors.size() == 1) return errors[0].message();
  std::string all;
  for (const UserError& error : errors) {
    if (!all.empty()) all += '\n';
    all += error.what();
  }
  return all;
}

// Edits that turn one name into another: inserted, removed, replaced or swapped neighbouring letters.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> before(to.size() + 1), last(to.size() + 1), row(to.size() + 1);
  std::iota(last.begin(), last.end(), 0);
  for (std::size_t i = 1; i <= from.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[to.size()];
}

}  // namespace

UserError::UserError(std::string where, std::string what, std::string hint)
    : std::runtime_error(in_words(where, what, hint)),
      where_(std::move(where)),
      message_(std::move(what)),
      hint_(std::move(hint)) {}

UserError::~UserError() = default;

UserErrors::UserErrors(std::vector<UserError> errors)
    : UserError(where_of(errors), message_of(errors), hint_of(errors)), errors_(std::move(errors)) {}

UserErrors::~UserErrors() = default;

ContractError::ContractError(std::string who, std::string promise, std::string expected, std::string found)
    : std::logic_error(in_words(who, promise, expected, found)),
      who_(std::move(who)),
      promise_(std::move(promise)),
      expected_(std::move(expected)),
      found_(std::move(found)) {}

ContractError::~ContractError() = default;

Cancelled::Cancelled() : std::runtime_error("the work was cancelled") {}

Cancelled::~Cancelled() = default;

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  // A slip changes about a third of a name at most; more is another name.
  std::size_t best = (name.size() + 2) / 3 + 1;
  std::string nearest;
  for (const std::string& candidate : candidates) {
    const std::size_t gap = std::max(name.size(), candidate.size()) - std::min(name.size(), candidate.size());
    if (gap >= best) continue;
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace seedbed
