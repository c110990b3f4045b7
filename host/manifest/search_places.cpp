#include <cstdlib>
#include <system_error>

#include "manifest/catalogue.hpp"
#include "seedbed/error.hpp"

namespace seedbed::manifest {
namespace {

namespace fs = std::filesystem;

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

fs::path user_data_folder() {
  // The XDG specification: a relative path is to be ignored.
  if (const fs::path folder = environment("XDG_DATA_HOME"); folder.is_absolute()) return folder / "seedbed" / "plugins";
  if (const fs::path home = environment("HOME"); !home.empty()) return home / ".local/share/seedbed/plugins";
  return {};
}

}  // namespace

std::string_view name_of(SearchOrigin origin) {
  switch (origin) {
    case SearchOrigin::plugin_path:
      return "--plugin-path";
    case SearchOrigin::environment:
      return "SEEDBED_PLUGIN_PATH";
    case SearchOrigin::user_data:
      return "user data folder";
    case SearchOrigin::beside_executable:
      return "beside the program";
  }
  return {};
}

std::vector<SearchPlace> search_places(const std::vector<fs::path>& plugin_path, const fs::path& executable) {
  std::vector<SearchPlace> places;
  for (const fs::path& path : plugin_path) places.push_back({path, SearchOrigin::plugin_path});
  for (std::string_view rest = environment("SEEDBED_PLUGIN_PATH"); !rest.empty();) {
    const auto colon = rest.find(':');
    if (colon != 0) places.push_back({fs::path(rest.substr(0, colon)), SearchOrigin::environment});
    rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
  }
  if (const fs::path folder = user_data_folder(); !folder.empty()) places.push_back({folder, SearchOrigin::user_data});
  const fs::path beside = executable.parent_path().parent_path() / "lib" / "seedbed" / "plugins";
  places.push_back({beside, SearchOrigin::beside_executable});
  return places;
}

fs::path this_executable() {
  std::error_code failure;
  const fs::path file = fs::read_symlink("/proc/self/exe", failure);
  if (failure)
    throw UserError("/proc/self/exe", "the system does not say where this program is: `" + failure.message() + "`");
  return file;
}

}  // namespace seedbed::manifest
