#include "manifest/catalogue.hpp"

#include <algorithm>
#include <set>
#include <system_error>
#include <utility>

#include <sys/stat.h>

#include "manifest/elf_sections.hpp"
#include "manifest/host_fingerprint.hpp"
#include "manifest/manifest_json.hpp"
#include "seedbed/error.hpp"

namespace seedbed::manifest {
namespace {

namespace fs = std::filesystem;

std::string ticked(std::string_view text) { return "`" + std::string(text) + "`"; }

std::string spoken(MethodKind kind) {
  std::string name(name_of(kind));
  std::ranges::replace(name, '_', ' ');
  return name;
}

std::string in_one_line(const UserError& error) {
  return error.hint().empty() ? error.message() : error.message() + "; " + error.hint();
}

std::string rebuild_command(const PluginManifest& manifest) {
  if (manifest.vendor.empty()) return "rebuild it with `./dev build`";
  const fs::path prefix = this_executable().parent_path().parent_path();
  return "rebuild it with `cmake -S <its sources> -B build -DCMAKE_PREFIX_PATH=" + prefix.string() +
         " && cmake --build build`";
}

std::string in_words(const std::vector<FingerprintDifference>& differences, const PluginManifest& manifest) {
  std::string text = "it was built for another Seedbed: ";
  for (const FingerprintDifference& difference : differences) {
    text += ticked(difference.field) + " is " + ticked(difference.plugin_value) + ", the host's is " +
            ticked(difference.host_value) + "; ";
  }
  return text + rebuild_command(manifest);
}

std::string in_words(const std::vector<ManifestProblem>& problems) {
  std::string text = "its manifest is not fit for use";
  for (const ManifestProblem& problem : problems) text += "; " + problem.sentence;
  return text;
}

// Fills in what the file says of itself. Throws: UserError.
void read_file(PluginFile& file) {
  PluginSections sections = read_plugin_sections(file.path);
  const std::string where = file.path.string();
  file.manifest = plugin_manifest_from_json(sections.manifest, where);
  file.manifest_json = std::move(sections.manifest);
  file.fingerprint = fingerprint_from_json(sections.fingerprint, where);
}

// Looks at files one by one, in search order.
class Scan {
 public:
  explicit Scan(const ScanOptions& options)
      : builtin_only_(options.builtin_only), host_(options.host ? *options.host : host_fingerprint()) {}

  void look_into(const SearchPlace& place) {
    std::error_code failure;
    const fs::file_status status = fs::status(place.path, failure);
    if (fs::is_directory(status)) {
      look_into_folder(place);
    } else if (fs::exists(status)) {
      look_at(place.path, place.origin);
    } else if (place.origin == SearchOrigin::plugin_path || place.origin == SearchOrigin::environment) {
      reject({.path = place.path, .origin = place.origin}, "there is no such file or folder");
    }
  }

  std::vector<PluginFile> files() && { return std::move(files_); }

 private:
  void look_into_folder(const SearchPlace& place) {
    std::vector<fs::path> paths;
    std::error_code failure;
    for (fs::directory_iterator it(place.path, failure), end; !failure && it != end; it.increment(failure)) {
      if (it->path().extension() == ".so") paths.push_back(it->path());
    }
    if (failure) {
      reject({.path = place.path, .origin = place.origin}, "the folder cannot be read: " + ticked(failure.message()));
    }
    std::ranges::sort(paths);
    for (const fs::path& path : paths) look_at(path, place.origin);
  }

  void look_at(const fs::path& path, SearchOrigin origin) {
    PluginFile file{.path = path, .origin = origin};
    struct ::stat status {};
    if (::stat(path.c_str(), &status) == 0 && !seen_.emplace(status.st_dev, status.st_ino).second) {
      return reject(std::move(file), "the same file was found before, in another place of the search");
    }
    try {
      read_file(file);
    } catch (const UserError& error) {
      return reject(std::move(file), in_one_line(error));
    }
    if (const auto problems = manifest_problems(*file.manifest); !problems.empty()) {
      return reject(std::move(file), in_words(problems));
    }
    file.differences = fingerprint_differences(*file.fingerprint, host_);
    if (!file.differences.empty()) {
      std::string reason = in_words(file.differences, *file.manifest);
      return reject(std::move(file), std::move(reason));
    }
    if (builtin_only_ && origin != SearchOrigin::beside_executable) {
      return reject(std::move(file), "safe mode takes only the libraries beside the program");
    }
    file.taken = true;
    files_.push_back(std::move(file));
  }

  void reject(PluginFile file, std::string reason) {
    file.reason = std::move(reason);
    files_.push_back(std::move(file));
  }

  bool builtin_only_;
  Fingerprint host_;
  std::set<std::pair<dev_t, ino_t>> seen_;
  std::vector<PluginFile> files_;
};

const MethodManifest* declared(const PluginFile& file, MethodKind kind, std::string_view id) {
  if (!file.manifest) return nullptr;
  const auto found = std::ranges::find_if(
      file.manifest->methods, [&](const MethodManifest& method) { return method.kind == kind && method.id == id; });
  return found == file.manifest->methods.end() ? nullptr : &*found;
}

}  // namespace

Catalogue::Catalogue(std::vector<PluginFile> files) : files_(std::move(files)) {
  for (std::size_t i = 0; i < files_.size(); ++i) {
    if (!files_[i].taken) continue;
    const auto& methods = files_[i].manifest->methods;
    for (std::size_t j = 0; j < methods.size(); ++j) index_[methods[j].kind][methods[j].id].push_back({i, j});
  }
}

Catalogue Catalogue::scan(const std::vector<SearchPlace>& places, const ScanOptions& options) {
  Scan scan(options);
  for (const SearchPlace& place : places) scan.look_into(place);
  return Catalogue(std::move(scan).files());
}

Catalogue Catalogue::of(std::vector<PluginManifest> manifests) {
  std::vector<PluginFile> files;
  for (PluginManifest& manifest : manifests) {
    PluginFile file{.path = manifest.name + ".so", .taken = true};
    file.manifest = std::move(manifest);
    files.push_back(std::move(file));
  }
  return Catalogue(std::move(files));
}

const std::vector<Catalogue::Place>* Catalogue::places_of(MethodKind kind, std::string_view id) const {
  const auto of_kind = index_.find(kind);
  if (of_kind == index_.end()) return nullptr;
  const auto found = of_kind->second.find(id);
  return found == of_kind->second.end() ? nullptr : &found->second;
}

FoundMethod Catalogue::at(const Place& place) const {
  const PluginFile& file = files_[place.file];
  return {&file.manifest->methods[place.method], &file};
}

FoundMethod Catalogue::find(MethodKind kind, std::string_view id) const {
  const std::vector<Place>* places = places_of(kind, id);
  if (!places) throw UserError("", "unknown " + spoken(kind) + " " + ticked(id), why_absent(kind, id));
  if (places->size() > 1) {
    std::string files;
    for (const Place& place : *places) files += (files.empty() ? "" : ", ") + ticked(files_[place.file].path.string());
    throw UserError("", "two libraries declare the " + spoken(kind) + " " + ticked(id) + ": " + files,
                    "leave one of them out of the search, or give one a vendor's id");
  }
  return at(places->front());
}

std::optional<FoundMethod> Catalogue::find_if_present(MethodKind kind, std::string_view id) const {
  const std::vector<Place>* places = places_of(kind, id);
  if (!places || places->size() > 1) return std::nullopt;
  return at(places->front());
}

std::string Catalogue::why_absent(MethodKind kind, std::string_view id) const {
  std::vector<std::string> ids;
  if (const auto of_kind = index_.find(kind); of_kind != index_.end()) {
    for (const auto& [known, places] : of_kind->second) ids.push_back(known);
  }
  std::string text;
  if (const std::string nearest = nearest_name(id, ids); !nearest.empty()) text = "nearest: " + ticked(nearest) + "; ";
  for (const MethodKind other : all_method_kinds()) {
    if (places_of(other, id)) text += ticked(id) + " is a " + spoken(other) + "; ";
  }
  if (ids.empty()) text += "no " + spoken(kind) + " was found";
  for (const std::string& known : ids) text += (&known == &ids.front() ? "accepted: " : ", ") + ticked(known);
  // A library that declares it, or that could not be read, may be the one that was meant.
  for (const PluginFile& file : files_) {
    if (file.taken || (file.manifest && !declared(file, kind, id))) continue;
    text += "\n  rejected: " + ticked(file.path.string()) + ": " + file.reason;
  }
  return text;
}

std::vector<FoundMethod> Catalogue::methods() const {
  std::vector<FoundMethod> all;
  for (const MethodKind kind : all_method_kinds()) {
    const auto of_kind = methods(kind);
    all.insert(all.end(), of_kind.begin(), of_kind.end());
  }
  return all;
}

std::vector<FoundMethod> Catalogue::methods(MethodKind kind) const {
  std::vector<FoundMethod> all;
  const auto of_kind = index_.find(kind);
  if (of_kind == index_.end()) return all;
  for (const auto& [id, places] : of_kind->second) {
    for (const Place& place : places) all.push_back(at(place));
  }
  return all;
}

}  // namespace seedbed::manifest
