#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "seedbed/manifest.hpp"

namespace seedbed::manifest {

/// Where a plugin was looked for, in the order of the search.
enum class SearchOrigin { plugin_path, environment, user_data, beside_executable };

/// "--plugin-path", "SEEDBED_PLUGIN_PATH", "user data folder", "beside the program".
std::string_view name_of(SearchOrigin origin);

struct SearchPlace {
  std::filesystem::path path;  ///< a folder, whose *.so files are looked at in order of name, or one file
  SearchOrigin origin = SearchOrigin::plugin_path;
};

/// --plugin-path, SEEDBED_PLUGIN_PATH, $XDG_DATA_HOME/seedbed/plugins (or ~/.local/share/seedbed/plugins),
/// ../lib/seedbed/plugins from the program's folder; in this order.
std::vector<SearchPlace> search_places(const std::vector<std::filesystem::path>& plugin_path,
                                       const std::filesystem::path& executable);

/// The running program's file. Throws: UserError if the system does not say.
std::filesystem::path this_executable();

/// One file that was looked at.
struct PluginFile {
  std::filesystem::path path;
  SearchOrigin origin = SearchOrigin::plugin_path;
  bool taken = false;
  std::string reason = {};                              ///< why it was not taken, as sentences; "" where it was
  std::optional<PluginManifest> manifest = {};          ///< wherever it could be read, rejected files included
  std::optional<Fingerprint> fingerprint = {};          ///< likewise
  std::vector<FingerprintDifference> differences = {};  ///< from the host's; empty where all is equal
  std::string manifest_json = {};                       ///< as embedded; see method_json()
};

/// A method and the library that brings it. Valid as long as the catalogue.
struct FoundMethod {
  const MethodManifest* method = nullptr;
  const PluginFile* file = nullptr;
};

struct ScanOptions {
  bool builtin_only = false;  ///< safe mode: everything is listed, only the libraries beside the program are taken
  std::optional<Fingerprint> host;  ///< instead of host_fingerprint(), for tests
};

/// All plugins that can be found, read from their ELF sections: no plugin code runs.
/// Threads: const members [any-thread].
class Catalogue {
 public:
  /// Looks at every file of `places`. Never throws for what a file holds: that becomes the file's `reason`.
  static Catalogue scan(const std::vector<SearchPlace>& places, const ScanOptions& options = {});

  /// A catalogue of manifests without files, for tests and tools; each counts as taken, with the path "<name>.so".
  static Catalogue of(std::vector<PluginManifest> manifests);

  /// Every file looked at, taken or not, in search order.
  const std::vector<PluginFile>& files() const { return files_; }

  /// The method with this id. Throws: UserError if there is none (with the nearest id, and why libraries that might
  /// have brought it were rejected), or if two libraries declare it (naming both).
  FoundMethod find(MethodKind kind, std::string_view id) const;

  /// The same without an error; a duplicate counts as absent.
  std::optional<FoundMethod> find_if_present(MethodKind kind, std::string_view id) const;

  /// Methods of taken libraries, by kind and then id; duplicates are all listed.
  std::vector<FoundMethod> methods() const;
  std::vector<FoundMethod> methods(MethodKind kind) const;

 private:
  // Positions, so that a copied or moved catalogue stays right.
  struct Place {
    std::size_t file;
    std::size_t method;
  };

  explicit Catalogue(std::vector<PluginFile> files);
  const std::vector<Place>* places_of(MethodKind kind, std::string_view id) const;
  FoundMethod at(const Place& place) const;
  std::string why_absent(MethodKind kind, std::string_view id) const;

  std::vector<PluginFile> files_;
  std::map<MethodKind, std::map<std::string, std::vector<Place>, std::less<>>> index_;
};

}  // namespace seedbed::manifest
