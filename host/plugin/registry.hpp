#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "seedbed/manifest.hpp"
#include "seedbed/plugin.hpp"

namespace seedbed::plugin {

using AnyFactory = std::variant<Factory<Backbone>, Factory<SeedGenerator>, Factory<Refiner>, Factory<Loss>,
                                Factory<SegmentationHead>, Factory<TrainingStrategy>>;

/// A method that can be made.
struct RegisteredMethod {
  MethodManifest manifest;
  std::filesystem::path library;
  AnyFactory make;
};

/// The methods of all libraries that this process loaded. A library is never unloaded: objects and types of it may be
/// anywhere. Threads: [one-at-a-time].
class Registry {
 public:
  /// Reads the manifest, compares the fingerprint, maps the library, has it register, and takes its methods if all is
  /// well, or none of them. Loading a library twice does nothing.
  ///
  /// Throws: UserError for a file that cannot be loaded here (not a plugin, other fingerprint, missing dependency, no
  ///         symbol, an id that another library brought); ContractError for one that breaks its promises while
  ///         registering (throws, a declared method without factory, a factory without declaration).
  void load(const std::filesystem::path& library);

  /// Throws: UserError for a method that no loaded library has, with the nearest id.
  const RegisteredMethod& find(MethodKind kind, std::string_view id) const;

  /// By kind and then id.
  std::vector<const RegisteredMethod*> methods() const;

  /// What loading left changed in the process, and was put back: sentences naming the library.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  using Key = std::pair<MethodKind, std::string>;

  void refuse_duplicates(const PluginManifest& manifest, const std::filesystem::path& library) const;

  std::map<Key, RegisteredMethod> methods_;
  std::set<std::filesystem::path> loaded_;
  std::vector<std::string> warnings_;
};

}  // namespace seedbed::plugin
