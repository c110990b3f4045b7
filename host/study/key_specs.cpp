#include "study/key_specs.hpp"

#include <utility>

namespace seedbed::study {

ParameterSpec key(std::string name, ParameterType type, ParameterValue value, std::string summary) {
  ParameterSpec spec;
  spec.name = std::move(name);
  spec.type = type;
  spec.default_value = std::move(value);
  spec.summary = std::move(summary);
  return spec;
}

ParameterSpec flag(std::string name, bool value, std::string summary) {
  return key(std::move(name), ParameterType::boolean, value, std::move(summary));
}

namespace {

ParameterSpec ranged(ParameterSpec spec, const Range& range) {
  spec.minimum = range.minimum;
  spec.maximum = range.maximum;
  spec.unit = range.unit;
  return spec;
}

}  // namespace

ParameterSpec integer(std::string name, std::int64_t value, const Range& range, std::string summary) {
  return ranged(key(std::move(name), ParameterType::integer, value, std::move(summary)), range);
}

ParameterSpec number(std::string name, double value, const Range& range, std::string summary) {
  return ranged(key(std::move(name), ParameterType::number, value, std::move(summary)), range);
}

ParameterSpec without_default(ParameterSpec spec) {
  spec.default_value = std::string();
  return spec;
}

ParameterSpec text(std::string name, std::string value, std::string summary) {
  return key(std::move(name), ParameterType::text, std::move(value), std::move(summary));
}

ParameterSpec choice(std::string name, std::string value, Texts choices, std::string summary) {
  ParameterSpec spec = text(std::move(name), std::move(value), std::move(summary));
  spec.choices = std::move(choices);
  return spec;
}

ParameterSpec texts(std::string name, Texts value, std::string summary) {
  return key(std::move(name), ParameterType::texts, std::move(value), std::move(summary));
}

}  // namespace seedbed::study
