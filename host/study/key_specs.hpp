#pragma once

#include <optional>
#include <string>
#include <vector>

#include "seedbed/parameters.hpp"

// Short forms for lists of keys. The unit belongs to the range, since both say how a number is to be read.
namespace seedbed::study {

struct Range {
  std::optional<double> minimum = std::nullopt;
  std::optional<double> maximum = std::nullopt;
  std::string unit = {};
};

using Texts = std::vector<std::string>;

ParameterSpec key(std::string name, ParameterType type, ParameterValue value, std::string summary);
ParameterSpec flag(std::string name, bool value, std::string summary);
ParameterSpec integer(std::string name, std::int64_t value, const Range& range, std::string summary);
ParameterSpec number(std::string name, double value, const Range& range, std::string summary);
/// The same without a default of its own: where it is left out, something else stands in, as its sentence says.
ParameterSpec without_default(ParameterSpec spec);

ParameterSpec text(std::string name, std::string value, std::string summary);
ParameterSpec choice(std::string name, std::string value, Texts choices, std::string summary);
ParameterSpec texts(std::string name, Texts value, std::string summary);

}  // namespace seedbed::study
