#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "manifest/catalogue.hpp"
#include "study/table_reader.hpp"

namespace seedbed::study {

/// A METHOD of a study: which method, and everything it takes.
struct MethodChoice {
  const MethodManifest* manifest = nullptr;
  const Preset* preset = nullptr;  ///< null where none is named
  ParameterValues parameters;
  Json json;    ///< as RESOLVED.md lays it out
  Place place;  ///< of the id
  std::filesystem::path library_folder;

  bool has_trait(std::string_view trait) const { return manifest->has_trait(trait, parameters); }
  bool is_fitted() const { return has_trait("trains") || has_trait("collects"); }
  /// Whether some other setting of its parameters would be fitted.
  bool may_be_fitted() const;
};

/// Reads METHOD tables against the manifests.
class MethodReader {
 public:
  MethodReader(const manifest::Catalogue& catalogue, Findings& findings, bool allow_missing_files)
      : catalogue_(catalogue), findings_(findings), allow_missing_files_(allow_missing_files) {}

  /// Takes `method`, `preset`, `weights`, `strict`, `uses` and every parameter out of `table`; the caller takes its own
  /// keys and finishes. `forced`: parameters that another method settles. nullopt where the method is not known.
  std::optional<MethodChoice> read(TableReader& table, MethodKind kind, const ParameterValues& forced = {}) const;

  /// A METHOD table that holds nothing else.
  std::optional<MethodChoice> read_alone(const Node& node, std::string path, MethodKind kind) const;

  /// The method `id` with its defaults, as if the study had named it at `place`.
  std::optional<MethodChoice> with_defaults(const std::string& id, const Place& place, std::string path,
                                            MethodKind kind) const;

 private:
  std::optional<manifest::FoundMethod> find_method(TableReader& table, MethodKind kind) const;
  const Preset* find_preset(TableReader& table, const MethodManifest& method) const;
  ParameterValues read_parameters(TableReader& table, const MethodChoice& choice, const ParameterValues& forced) const;
  Json read_files(TableReader& table, MethodChoice& choice) const;
  Json read_uses(TableReader& table, const MethodChoice& choice) const;
  std::string existing_file(const std::string& path, const Place& place) const;

  const manifest::Catalogue& catalogue_;
  Findings& findings_;
  bool allow_missing_files_;
  mutable int depth_ = 0;  // of methods within `uses`
};

/// Where values of a method's manifest stand.
Place manifest_place(const MethodChoice& choice, const std::string& preset = {});

/// A host table of a method, lowest layer first: the manifest's default, the preset of the method, the preset that the
/// table itself names, what the study says. `choices`: whose presets may be named; the first gives default and preset.
Table layered_table(const std::vector<const MethodChoice*>& choices, std::string_view name, const Node* given,
                    Findings& findings);

}  // namespace seedbed::study
