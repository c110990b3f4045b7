#include "dataset/table_reader.hpp"

#include <algorithm>
#include <utility>

namespace seedbed::dataset {

TableReader::TableReader(const Json& table, std::string where, std::vector<UserError>& problems)
    : table_(table), where_(std::move(where)), problems_(problems) {}

const Json* TableReader::find(const std::string& key) const {
  if (!table_.is_object()) return nullptr;
  const auto entry = table_.find(key);
  return entry == table_.end() ? nullptr : &*entry;
}

void TableReader::problem(const std::string& key, std::string what, std::string hint) {
  problems_.emplace_back(where_ + "." + key, std::move(what), std::move(hint));
}

std::string TableReader::text(const std::string& key, std::string fallback) {
  if (const Json* value = find(key)) {
    if (value->is_string()) {
      fallback = value->get<std::string>();
    } else {
      problem(key, "This key needs a text: `" + value->dump() + "`.", "Write it in quotes.");
    }
  }
  resolved_[key] = fallback;
  return fallback;
}

std::string TableReader::required_text(const std::string& key, std::string_view hint) {
  std::string value = text(key, "");
  if (value.empty() && (find(key) == nullptr || find(key)->is_string()))
    problem(key, "The data set needs the key `" + key + "`.", std::string(hint));
  return value;
}

std::string TableReader::choice(const std::string& key, const std::vector<std::string>& choices) {
  std::string value = text(key, choices.front());
  if (std::ranges::find(choices, value) != choices.end()) return value;
  problem(key, "This key does not take that value: `" + value + "`.",
          did_you_mean(value, choices) + "It takes " + quoted_list(choices) + ".");
  return choices.front();
}

std::int64_t TableReader::whole(const std::string& key, std::int64_t fallback, std::int64_t minimum,
                                std::int64_t maximum) {
  if (const Json* value = find(key)) {
    if (value->is_number_integer() && *value >= minimum && *value <= maximum) {
      fallback = value->get<std::int64_t>();
    } else {
      problem(key, "This key needs another value: `" + value->dump() + "`.",
              "It takes a whole number from " + std::to_string(minimum) + " to " + std::to_string(maximum) + ".");
    }
  }
  resolved_[key] = fallback;
  return fallback;
}

std::vector<std::string> TableReader::texts(const std::string& key) {
  std::vector<std::string> values;
  if (const Json* value = find(key)) {
    const bool legal = value->is_array() && std::ranges::all_of(*value, [](const Json& v) { return v.is_string(); });
    if (legal) {
      values = value->get<std::vector<std::string>>();
    } else {
      problem(key, "This key needs a list of texts: `" + value->dump() + "`.", "Write `[\"one\", \"two\"]`.");
    }
  }
  resolved_[key] = values;
  return values;
}

std::vector<std::string> TableReader::one_or_more(const std::string& key, std::vector<std::string> fallback) {
  const Json* value = find(key);
  if (value && value->is_array()) return texts(key);
  if (value) return {text(key, "")};
  if (fallback.size() == 1) {
    resolved_[key] = fallback.front();
  } else {
    resolved_[key] = fallback;
  }
  return fallback;
}

Json TableReader::table(const std::string& key, Json fallback) {
  if (const Json* value = find(key)) {
    if (value->is_object()) {
      fallback = *value;
    } else {
      problem(key, "This key needs a table: `" + value->dump() + "`.", "Write `" + key + " = { name = \"value\" }`.");
    }
  }
  resolved_[key] = fallback;
  return fallback;
}

void TableReader::refuse_keys_beyond(const std::vector<std::string>& legal) {
  if (!table_.is_object()) return;
  for (const auto& [key, value] : table_.items())
    if (std::ranges::find(legal, key) == legal.end())
      problem(key, "This table has no such key: `" + key + "`.",
              did_you_mean(key, legal) + "Keys: " + quoted_list(legal, 40) + ".");
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string near = nearest_name(name, candidates);
  return near.empty() ? "" : "Did you mean `" + near + "`? ";
}

std::string quoted_list(const std::vector<std::string>& names, std::size_t limit) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), limit); ++i) text += (i == 0 ? "`" : ", `") + names[i] + "`";
  if (names.size() > limit) text += " and " + std::to_string(names.size() - limit) + " more";
  return text;
}

void throw_if_any(std::vector<UserError> problems) {
  if (problems.size() == 1) throw UserError(problems.front());
  if (!problems.empty()) throw UserErrors(std::move(problems));
}

bool collect_problems(std::vector<UserError>& problems, const std::function<void()>& call) {
  const auto add_once = [&](const UserError& error) {
    const auto same = [&](const UserError& known) {
      return known.where() == error.where() && known.message() == error.message();
    };
    if (std::ranges::none_of(problems, same)) problems.push_back(error);
  };
  try {
    call();
    return true;
  } catch (const UserErrors& errors) {
    std::ranges::for_each(errors.errors(), add_once);
  } catch (const UserError& error) {
    add_once(error);
  }
  return false;
}

}  // namespace seedbed::dataset
