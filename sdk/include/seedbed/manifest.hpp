#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "seedbed/export.hpp"
#include "seedbed/parameters.hpp"

namespace seedbed {

/// The six kinds of method a plugin can contribute.
enum class MethodKind { backbone, seed_generator, refiner, loss, segmentation_head, training_strategy };

SEEDBED_API std::string_view name_of(MethodKind kind);
SEEDBED_API std::optional<MethodKind> method_kind_from(std::string_view name);
SEEDBED_API const std::vector<MethodKind>& all_method_kinds();

/// What a method was shown. `kinds` of labels are opened through counted accessors only; a method that asks for
/// more than it declares gets a ContractError.
struct Supervision {
  std::set<std::string> labels;       ///< of: image_labels, masks, boxes, points, scribbles, text; empty = none
  std::set<std::string> side_inputs;  ///< of: saliency, cues, proposals, features ... (data set's side tables)
  std::string pretraining;            ///< "", "imagenet", "image_text", "self_supervised" ...: forced by the method
};

/// What a refiner takes or gives: a score map's planes, background and value kind, or labels.
struct MapType {
  std::string form = "scores";     ///< "scores" | "labels"
  std::string background = "any";  ///< "absent" | "present" | "any" (takes) | "same" (gives)
  std::string value = "any";       ///< "evidence" | "probability" | "any" (takes) | "same" (gives)
};

/// A slot through which one method uses another; the study may fill it, else `default_method` does.
struct UsesSlot {
  std::string name;  ///< e.g. "label_refiner"
  MethodKind kind = MethodKind::refiner;
  std::string default_method;  ///< "" = the slot may stay empty
  std::string summary;
};

/// Traits, needs and forced backbone defaults that hold only for certain parameter values.
struct ConditionalTraits {
  std::string parameter;
  std::vector<ParameterValue> values;  ///< the condition holds where the parameter equals one of these
  std::set<std::string> add_traits;
  std::set<std::string> remove_traits;
};

/// A named set of values: parameters of the method, and settings of host tables such as `train` and `localise`
/// (stored as the JSON text of that table).
struct Preset {
  std::string name;
  std::string summary;
  std::string variant;  ///< "released" | "corrected" | "paper" | ""
  ParameterValues parameters;
  std::map<std::string, std::string, std::less<>> host_tables;  ///< "train" -> JSON object text
};

/// One method as its `plugin.toml` describes it: the single source of what the method is.
struct SEEDBED_API MethodManifest {
  std::string id;  ///< "cam"; third parties' are "vendor.name"
  MethodKind kind = MethodKind::refiner;
  std::int64_t revision = 1;  ///< same id, revision, parameters, inputs -> same numbers
  std::string summary;        ///< one line
  std::string citation;       ///< "" only for methods that are this project's own
  std::string licence;        ///< SPDX id of the plugin's code
  Supervision supervision;
  std::set<std::string> traits;       ///< closed set, see known_traits()
  std::vector<std::string> needs;     ///< e.g. "taps:final", "attention", "text", "side:saliency"
  std::vector<std::string> provides;  ///< e.g. "taps:stage1..5", "side:affinity"
  ParameterValues backbone_defaults;  ///< parameters forced on the backbone (class tokens = classes)
  MapType takes;                      ///< refiners
  MapType gives;                      ///< refiners and generators
  std::int64_t bytes_per_image = 0;   ///< side artefacts kept for one image; 0 = none (forecast of disk)
  std::vector<UsesSlot> uses;
  std::vector<ParameterSpec> parameters;
  std::vector<ConditionalTraits> when;
  std::vector<Preset> presets;
  std::map<std::string, std::string, std::less<>> host_defaults;  ///< "train" -> JSON object text

  const ParameterSpec* find_parameter(std::string_view name) const;
  const Preset* find_preset(std::string_view name) const;
  const UsesSlot* find_slot(std::string_view name) const;
  /// Traits under resolved parameters: `traits` with every fitting `when` applied in order.
  std::set<std::string> traits_for(const ParameterValues& values) const;
  bool has_trait(std::string_view trait, const ParameterValues& values) const;
};

/// Everything one shared library declares.
struct PluginManifest {
  std::int64_t schema = 1;
  std::string name;  ///< library name, e.g. "squeezenet"
  std::string version;
  std::string vendor;  ///< "" for built-ins: only those may have plain ids
  std::string source_revision;
  std::vector<MethodManifest> methods;
};

/// The traits a manifest may name: `trains` (has a fit stage), `collects` (a gradient-free pass over a role first),
/// `segments` (its own prediction is a segmentation), `random` (draws numbers: the random seed enters its keys),
/// `batch_coupled` (an image's result depends on its batch), `class_agnostic`, `instances`, `needs_gradient`,
/// `batched` (has a device entry for whole batches).
SEEDBED_API const std::vector<std::string>& known_traits();

/// Names of host tables that no parameter may take (`train`, `localise`, `uses`, `weights`, ...).
SEEDBED_API const std::vector<std::string>& reserved_parameter_names();

/// Names of the host tables that presets and defaults may fill: `train`, `localise`, `labels`, `background`,
/// `companions`, `uses`.
SEEDBED_API const std::vector<std::string>& host_table_names();

struct ManifestProblem {
  std::string key;  ///< dotted path in plugin.toml, array elements by position: "method.0.parameters.delta.default"
  std::string sentence;  ///< names the method, says what is wrong and what would be accepted
};

/// Everything wrong with a manifest; empty where it is fine.
/// Checks ids (pattern, vendor prefix), traits, parameter types, defaults in range, presets, uses, duplicates.
SEEDBED_API std::vector<ManifestProblem> manifest_problems(const PluginManifest& manifest);

/// True for "cam", "dense_crf", "vendor.name": lower-case words of [a-z0-9_], at most one dot.
SEEDBED_API bool is_valid_id(std::string_view id);

/// What must be equal before a C++ object may cross the door. Compared field by field, in words.
struct Fingerprint {
  std::string sdk_headers_digest;  ///< of the SDK's ABI-relevant headers, comments and white space left out
  std::string torch_version;
  std::string torch_build_id;
  std::string c10_build_id;
  std::string cxx11_abi;
  std::string compiler;  ///< "gnu" | "clang"
  std::string compiler_major;
  std::string cxx_standard;
  std::string sanitizers;  ///< "" | "address,undefined" | "thread"
};

struct FingerprintField {
  const char* name;
  std::string Fingerprint::*member;
};

/// All fields, in the order in which differences are told.
SEEDBED_API const std::vector<FingerprintField>& fingerprint_fields();

struct FingerprintDifference {
  std::string field;
  std::string plugin_value;
  std::string host_value;
};

SEEDBED_API std::vector<FingerprintDifference> fingerprint_differences(const Fingerprint& plugin,
                                                                       const Fingerprint& host);

}  // namespace seedbed
