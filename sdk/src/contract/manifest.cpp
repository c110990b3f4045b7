#include "seedbed/manifest.hpp"

#include <algorithm>
#include <array>

namespace seedbed {
namespace {

constexpr std::array<std::string_view, 6> kKindNames{"backbone", "seed_generator",    "refiner",
                                                     "loss",     "segmentation_head", "training_strategy"};

template <typename Container>
const typename Container::value_type* find_named(const Container& all, std::string_view name) {
  const auto found = std::ranges::find_if(all, [&](const auto& each) { return each.name == name; });
  return found == all.end() ? nullptr : &*found;
}

bool fits(const ConditionalTraits& condition, const MethodManifest& method, const ParameterValues& values) {
  const auto found = values.find(condition.parameter);
  if (found == values.end()) return false;
  const ParameterSpec* spec = method.find_parameter(condition.parameter);
  return std::ranges::any_of(condition.values, [&](const ParameterValue& value) {
    return (spec ? coerced(*spec, value) : value) == found->second;
  });
}

}  // namespace

std::string_view name_of(MethodKind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }

std::optional<MethodKind> method_kind_from(std::string_view name) {
  const auto found = std::ranges::find(kKindNames, name);
  if (found == kKindNames.end()) return std::nullopt;
  return static_cast<MethodKind>(found - kKindNames.begin());
}

const std::vector<MethodKind>& all_method_kinds() {
  static const std::vector<MethodKind> all{MethodKind::backbone,          MethodKind::seed_generator,
                                           MethodKind::refiner,           MethodKind::loss,
                                           MethodKind::segmentation_head, MethodKind::training_strategy};
  return all;
}

const ParameterSpec* MethodManifest::find_parameter(std::string_view name) const {
  return find_named(parameters, name);
}

const Preset* MethodManifest::find_preset(std::string_view name) const { return find_named(presets, name); }

const UsesSlot* MethodManifest::find_slot(std::string_view name) const { return find_named(uses, name); }

std::set<std::string> MethodManifest::traits_for(const ParameterValues& values) const {
  std::set<std::string> result = traits;
  for (const ConditionalTraits& condition : when) {
    if (!fits(condition, *this, values)) continue;
    for (const std::string& trait : condition.remove_traits) result.erase(trait);
    result.insert(condition.add_traits.begin(), condition.add_traits.end());
  }
  return result;
}

bool MethodManifest::has_trait(std::string_view trait, const ParameterValues& values) const {
  return traits_for(values).contains(std::string(trait));
}

const std::vector<std::string>& known_traits() {
  static const std::vector<std::string> all{"trains",         "collects",  "segments",       "random", "batch_coupled",
                                            "class_agnostic", "instances", "needs_gradient", "batched"};
  return all;
}

const std::vector<std::string>& host_table_names() {
  static const std::vector<std::string> all{"train", "localise", "labels", "background", "companions", "uses"};
  return all;
}

const std::vector<std::string>& reserved_parameter_names() {
  static const std::vector<std::string> all{"name",     "method", "enabled",   "preset",   "train",  "localise",
                                            "labels",   "uses",   "weights",   "weight",   "inputs", "background",
                                            "backbone", "head",   "loss",      "refiners", "keep",   "store",
                                            "choose",   "device", "companions"};
  return all;
}

bool is_valid_id(std::string_view id) {
  bool word_is_open = false;  // a word has begun, so it may end
  int num_dots = 0;
  for (const char c : id) {
    if (c == '.') {
      if (!word_is_open || ++num_dots > 1) return false;
      word_is_open = false;
      continue;
    }
    const bool letter = c >= 'a' && c <= 'z';
    const bool later = (c >= '0' && c <= '9') || c == '_';
    if (!letter && !(later && word_is_open)) return false;
    word_is_open = true;
  }
  return word_is_open;
}

const std::vector<FingerprintField>& fingerprint_fields() {
  static const std::vector<FingerprintField> all{
      {"sdk_headers_digest", &Fingerprint::sdk_headers_digest},
      {"torch_version", &Fingerprint::torch_version},
      {"torch_build_id", &Fingerprint::torch_build_id},
      {"c10_build_id", &Fingerprint::c10_build_id},
      {"cxx11_abi", &Fingerprint::cxx11_abi},
      {"compiler", &Fingerprint::compiler},
      {"compiler_major", &Fingerprint::compiler_major},
      {"cxx_standard", &Fingerprint::cxx_standard},
      {"sanitizers", &Fingerprint::sanitizers},
  };
  return all;
}

std::vector<FingerprintDifference> fingerprint_differences(const Fingerprint& plugin, const Fingerprint& host) {
  std::vector<FingerprintDifference> differences;
  for (const auto& [name, member] : fingerprint_fields()) {
    if (plugin.*member != host.*member) differences.push_back({name, plugin.*member, host.*member});
  }
  return differences;
}

}  // namespace seedbed
