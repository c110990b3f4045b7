#include "run/inbox.hpp"

#include <algorithm>
#include <system_error>
#include <vector>

#include "protocol/artefact_paths.hpp"
#include "seedbed/error.hpp"

namespace seedbed::run {
namespace fs = std::filesystem;

namespace {

void set_aside(const fs::path& file) {
  std::error_code ignored;
  fs::rename(file, file.string() + ".refused", ignored);
}

}  // namespace

void take_result_file(store::Store& store, const fs::path& file, const OnResult& on_result) {
  protocol::StageResult result;
  try {
    result = protocol::read_result_file(file);
    store.take_result(result);
  } catch (const UserError&) {
    set_aside(file);
    throw;
  } catch (const ContractError&) {
    set_aside(file);
    throw;
  }
  fs::remove(file);
  if (on_result) on_result(result);
}

int take_inbox(store::Store& store, const OnResult& on_result) {
  std::error_code error;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(store.inbox_folder(), error)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) take_result_file(store, file, on_result);
  return static_cast<int>(files.size());
}

}  // namespace seedbed::run
