#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "dataset/dataset.hpp"
#include "seedbed/error.hpp"

namespace seedbed::dataset {

/// Reads one table key by key, notes every problem, and writes the table out again with its defaults.
class TableReader {
 public:
  /// `where` names the table: "dataset". Problems are appended to `problems`.
  TableReader(const Json& table, std::string where, std::vector<UserError>& problems);

  std::string text(const std::string& key, std::string fallback);
  std::string required_text(const std::string& key, std::string_view hint);
  std::string choice(const std::string& key, const std::vector<std::string>& choices);  ///< fallback: the first
  std::int64_t whole(const std::string& key, std::int64_t fallback, std::int64_t minimum, std::int64_t maximum);
  std::vector<std::string> texts(const std::string& key);  ///< [] where absent
  std::vector<std::string> one_or_more(const std::string& key,
                                       std::vector<std::string> fallback);  ///< a text, or texts
  Json table(const std::string& key, Json fallback);

  /// Replaces what the written-out table holds under `key`.
  void resolve(const std::string& key, Json value) { resolved_[key] = std::move(value); }

  /// A problem for each key that is not in `legal`, with the nearest legal one.
  void refuse_keys_beyond(const std::vector<std::string>& legal);

  void problem(const std::string& key, std::string what, std::string hint);
  const Json& resolved() const { return resolved_; }

 private:
  const Json* find(const std::string& key) const;

  const Json& table_;
  std::string where_;
  std::vector<UserError>& problems_;
  Json resolved_ = Json::object();
};

/// "Did you mean `x`? " or "".
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

/// "`a`, `b`, `c`"; cut after `limit` with "and N more".
std::string quoted_list(const std::vector<std::string>& names, std::size_t limit = 8);

/// Throws UserErrors if there are any, a single one as itself.
void throw_if_any(std::vector<UserError> problems);

/// Runs `call`. UserErrors that it throws are added to `problems`, each once; true where there were none.
bool collect_problems(std::vector<UserError>& problems, const std::function<void()>& call);

}  // namespace seedbed::dataset
