#include "support/shared_folder.hpp"

#include <cstdlib>

namespace seedbed::testing {

namespace fs = std::filesystem;

std::optional<fs::path> shared_folder() {
  const char* named = std::getenv("SEEDBED_SHARED");
  const fs::path folder = named && *named ? fs::path(named) : fs::path(SEEDBED_TREE) / ".." / "shared";
  if (!fs::is_directory(folder)) return std::nullopt;
  return fs::weakly_canonical(folder);
}

std::optional<fs::path> shared_path(std::string_view path) {
  const auto folder = shared_folder();
  if (!folder || !fs::exists(*folder / path)) return std::nullopt;
  return *folder / path;
}

}  // namespace seedbed::testing
