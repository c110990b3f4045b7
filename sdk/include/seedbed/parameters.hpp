#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "seedbed/export.hpp"

namespace seedbed {

/// The types a method's parameter may have. A file parameter is a text whose content enters the stage key.
enum class ParameterType { boolean, integer, number, text, integers, numbers, texts, file };

SEEDBED_API std::string_view name_of(ParameterType type);
SEEDBED_API std::optional<ParameterType> parameter_type_from(std::string_view name);

/// A parameter's value. `text` and `file` both hold std::string.
using ParameterValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>,
                                    std::vector<double>, std::vector<std::string>>;

/// Resolved parameters by name, in alphabetical order so that they print and digest the same everywhere.
using ParameterValues = std::map<std::string, ParameterValue, std::less<>>;

/// One parameter as `plugin.toml` declares it.
struct ParameterSpec {
  std::string name;
  ParameterType type = ParameterType::number;
  std::string unit;                          ///< "" where the value has none
  std::string summary;                       ///< one sentence
  ParameterValue default_value;              ///< always present: a method runs with its defaults
  std::optional<double> minimum;             ///< inclusive; numbers and integers, element by element for lists
  std::optional<double> maximum;             ///< inclusive
  std::vector<std::string> choices;          ///< texts: the legal values; empty where any text is legal
  std::optional<std::int64_t> minimum_size;  ///< lists: fewest elements
  bool required = false;                     ///< files without a sensible default: the study must give one
};

/// Why `value` is not legal for `spec`, as a sentence ending in what would be accepted; nullopt where it is legal.
/// An integer is accepted where a number is asked for (use `coerced` first).
SEEDBED_API std::optional<std::string> why_illegal(const ParameterSpec& spec, const ParameterValue& value);

/// `value` widened to the type of `spec` where that loses nothing (integer to number, [] to any list); else unchanged.
SEEDBED_API ParameterValue coerced(const ParameterSpec& spec, ParameterValue value);

/// The value as TOML would write it: 0.5, "text", [1.0, 2.0]. Doubles print shortest and read back equal.
SEEDBED_API std::string to_toml(const ParameterValue& value);

/// "0.25 .. 1", "one of `a`, `b`", "at least 1": what a parameter accepts, in words.
SEEDBED_API std::string accepted_range(const ParameterSpec& spec);

/// Reads one parameter as T. Throws: ContractError naming `method` if it is absent or of another type (the host
/// resolves and checks parameters before any method sees them).
template <typename T>
const T& parameter(const ParameterValues& values, std::string_view name, std::string_view method);

extern template SEEDBED_API const bool& parameter<bool>(const ParameterValues&, std::string_view, std::string_view);
extern template SEEDBED_API const std::int64_t& parameter<std::int64_t>(const ParameterValues&, std::string_view,
                                                                        std::string_view);
extern template SEEDBED_API const double& parameter<double>(const ParameterValues&, std::string_view, std::string_view);
extern template SEEDBED_API const std::string& parameter<std::string>(const ParameterValues&, std::string_view,
                                                                      std::string_view);
extern template SEEDBED_API const std::vector<std::int64_t>& parameter<std::vector<std::int64_t>>(
    const ParameterValues&, std::string_view, std::string_view);
extern template SEEDBED_API const std::vector<double>& parameter<std::vector<double>>(const ParameterValues&,
                                                                                      std::string_view,
                                                                                      std::string_view);
extern template SEEDBED_API const std::vector<std::string>& parameter<std::vector<std::string>>(const ParameterValues&,
                                                                                                std::string_view,
                                                                                                std::string_view);

}  // namespace seedbed
