#include "seedbed/parameters.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <type_traits>
#include <utility>

#include "seedbed/error.hpp"

namespace seedbed {
namespace {

constexpr std::array<std::string_view, 8> kTypeNames{"boolean",  "integer", "number", "text",
                                                     "integers", "numbers", "texts",  "file"};

// What a value of a type is called inside a sentence.
constexpr std::array<std::string_view, 8> kTypePhrases{"true or false",   "an integer",         "a number",
                                                       "a text",          "a list of integers", "a list of numbers",
                                                       "a list of texts", "a file's path"};

std::size_t index_of(ParameterType type) { return static_cast<std::size_t>(type); }

// The alternative of ParameterValue that holds values of a type.
std::size_t alternative_of(ParameterType type) {
  return type == ParameterType::file ? index_of(ParameterType::text) : index_of(type);
}

std::string_view phrase_of(const ParameterValue& value) { return kTypePhrases[value.index()]; }

bool is_list(ParameterType type) {
  return type == ParameterType::integers || type == ParameterType::numbers || type == ParameterType::texts;
}

// An integer leaves a double unchanged up to 2^53.
bool is_exact_as_double(std::int64_t value) { return std::llabs(value) <= (std::int64_t{1} << 53); }

std::string number_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  std::string text(buffer.data(), end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

// A bound without a needless fraction: 16, 0.25.
std::string bound_text(double value) {
  std::string text = number_text(value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text;
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        result += "\\\"";
        break;
      case '\\':
        result += "\\\\";
        break;
      case '\n':
        result += "\\n";
        break;
      case '\t':
        result += "\\t";
        break;
      case '\r':
        result += "\\r";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          std::array<char, 8> escape{};
          std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
          result += escape.data();
        } else {
          result += c;
        }
    }
  }
  return result + '"';
}

std::string toml_of(bool value) { return value ? "true" : "false"; }
std::string toml_of(std::int64_t value) { return std::to_string(value); }
std::string toml_of(double value) { return number_text(value); }
std::string toml_of(const std::string& value) { return quoted(value); }

template <typename T>
std::string toml_of(const std::vector<T>& values) {
  std::string text = "[";
  for (const T& value : values) {
    if (text.size() > 1) text += ", ";
    text += toml_of(value);
  }
  return text + "]";
}

std::string bounds_in_words(const ParameterSpec& spec) {
  if (spec.minimum && spec.maximum) return bound_text(*spec.minimum) + " .. " + bound_text(*spec.maximum);
  if (spec.minimum) return "at least " + bound_text(*spec.minimum);
  if (spec.maximum) return "at most " + bound_text(*spec.maximum);
  return {};
}

std::string choices_in_words(const ParameterSpec& spec) {
  if (spec.choices.empty()) return {};
  std::string text = "one of ";
  for (const std::string& choice : spec.choices) {
    if (&choice != &spec.choices.front()) text += ", ";
    text += "`" + choice + "`";
  }
  return text;
}

bool is_legal_element(const ParameterSpec&, bool) { return true; }

bool is_legal_element(const ParameterSpec& spec, double value) {
  return std::isfinite(value) && value >= spec.minimum.value_or(value) && value <= spec.maximum.value_or(value);
}

bool is_legal_element(const ParameterSpec& spec, std::int64_t value) {
  // As long double, no integer is rounded past a bound.
  const auto exact = static_cast<long double>(value);
  return (!spec.minimum || exact >= *spec.minimum) && (!spec.maximum || exact <= *spec.maximum);
}

bool is_legal_element(const ParameterSpec& spec, const std::string& value) {
  if (spec.type == ParameterType::file) return !value.empty() || !spec.required;
  return spec.choices.empty() || std::ranges::find(spec.choices, value) != spec.choices.end();
}

template <typename T>
std::optional<std::string> why_illegal_value(const ParameterSpec& spec, const T& value) {
  if (is_legal_element(spec, value)) return std::nullopt;
  if (spec.type == ParameterType::file) return "no file is given; accepted: " + accepted_range(spec);
  std::string sentence = "it is `" + toml_of(value) + "`; accepted: " + accepted_range(spec);
  if constexpr (std::is_same_v<T, std::string>) {
    const std::string nearest = nearest_name(value, spec.choices);
    if (!nearest.empty()) sentence += " (nearest: `" + nearest + "`)";
  }
  return sentence;
}

template <typename T>
std::optional<std::string> why_illegal_value(const ParameterSpec& spec, const std::vector<T>& values) {
  if (static_cast<std::int64_t>(values.size()) < spec.minimum_size.value_or(0)) {
    return "it has `" + std::to_string(values.size()) + "` elements; accepted: " + accepted_range(spec);
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!is_legal_element(spec, values[i])) {
      return "element " + std::to_string(i + 1) + " is `" + toml_of(values[i]) + "`; accepted: " + accepted_range(spec);
    }
  }
  return std::nullopt;
}

template <typename T>
constexpr ParameterType kTypeOf = ParameterType::boolean;
template <>
constexpr ParameterType kTypeOf<std::int64_t> = ParameterType::integer;
template <>
constexpr ParameterType kTypeOf<double> = ParameterType::number;
template <>
constexpr ParameterType kTypeOf<std::string> = ParameterType::text;
template <>
constexpr ParameterType kTypeOf<std::vector<std::int64_t>> = ParameterType::integers;
template <>
constexpr ParameterType kTypeOf<std::vector<double>> = ParameterType::numbers;
template <>
constexpr ParameterType kTypeOf<std::vector<std::string>> = ParameterType::texts;

}  // namespace

std::string_view name_of(ParameterType type) { return kTypeNames[index_of(type)]; }

std::optional<ParameterType> parameter_type_from(std::string_view name) {
  const auto found = std::ranges::find(kTypeNames, name);
  if (found == kTypeNames.end()) return std::nullopt;
  return static_cast<ParameterType>(found - kTypeNames.begin());
}

std::optional<std::string> why_illegal(const ParameterSpec& spec, const ParameterValue& given) {
  const ParameterValue value = coerced(spec, given);
  if (value.index() != alternative_of(spec.type)) {
    return "it is " + std::string(phrase_of(value)) + ", `" + to_toml(value) + "`; accepted: " + accepted_range(spec);
  }
  return std::visit([&](const auto& held) { return why_illegal_value(spec, held); }, value);
}

ParameterValue coerced(const ParameterSpec& spec, ParameterValue value) {
  const bool empty_list = std::visit(
      [](const auto& held) {
        if constexpr (requires { held.empty(); } && !std::is_same_v<std::decay_t<decltype(held)>, std::string>) {
          return held.empty();
        } else {
          return false;
        }
      },
      value);
  if (empty_list && spec.type == ParameterType::integers) return std::vector<std::int64_t>{};
  if (empty_list && spec.type == ParameterType::numbers) return std::vector<double>{};
  if (empty_list && spec.type == ParameterType::texts) return std::vector<std::string>{};

  if (spec.type == ParameterType::number) {
    if (const auto* integer = std::get_if<std::int64_t>(&value); integer && is_exact_as_double(*integer)) {
      return static_cast<double>(*integer);
    }
  }
  if (spec.type == ParameterType::numbers) {
    if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&value);
        integers && std::ranges::all_of(*integers, is_exact_as_double)) {
      return std::vector<double>(integers->begin(), integers->end());
    }
  }
  return value;
}

std::string to_toml(const ParameterValue& value) {
  return std::visit([](const auto& held) { return toml_of(held); }, value);
}

std::string accepted_range(const ParameterSpec& spec) {
  const bool list = is_list(spec.type);
  const std::string limits = spec.choices.empty() ? bounds_in_words(spec) : choices_in_words(spec);
  std::string text(kTypePhrases[index_of(spec.type)]);
  if (list) {
    if (spec.minimum_size) text += " with at least " + std::to_string(*spec.minimum_size) + " elements";
    if (!limits.empty()) text += ", each " + limits;
  } else if (!limits.empty()) {
    // The range of a number says that it is a number; an integer must be told apart from it.
    text = spec.type == ParameterType::integer ? text + ", " + limits : limits;
  }
  return text;
}

template <typename T>
const T& parameter(const ParameterValues& values, std::string_view name, std::string_view method) {
  const auto found = values.find(name);
  const std::string promise = "parameter `" + std::string(name) + "` is resolved before the method is made";
  const std::string expected(kTypePhrases[index_of(kTypeOf<T>)]);
  if (found == values.end()) throw ContractError(std::string(method), promise, expected, "nothing");
  const T* held = std::get_if<T>(&found->second);
  if (!held) throw ContractError(std::string(method), promise, expected, "`" + to_toml(found->second) + "`");
  return *held;
}

template const bool& parameter<bool>(const ParameterValues&, std::string_view, std::string_view);
template const std::int64_t& parameter<std::int64_t>(const ParameterValues&, std::string_view, std::string_view);
template const double& parameter<double>(const ParameterValues&, std::string_view, std::string_view);
template const std::string& parameter<std::string>(const ParameterValues&, std::string_view, std::string_view);
template const std::vector<std::int64_t>& parameter<std::vector<std::int64_t>>(const ParameterValues&, std::string_view,
                                                                               std::string_view);
template const std::vector<double>& parameter<std::vector<double>>(const ParameterValues&, std::string_view,
                                                                   std::string_view);
template const std::vector<std::string>& parameter<std::vector<std::string>>(const ParameterValues&, std::string_view,
                                                                             std::string_view);

}  // namespace seedbed
