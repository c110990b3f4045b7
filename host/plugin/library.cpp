#include "plugin/library.hpp"

#include <fstream>
#include <set>
#include <string>

#include <dlfcn.h>

#include <boost/dll/shared_library.hpp>

#include "seedbed/error.hpp"

namespace seedbed::plugin {
namespace {

constexpr const char* kDoor = "seedbed_plugin";

// Boost wraps the loader's sentence: "... (dlerror system message: libx.so: cannot open ...): Bad file descriptor".
std::string loader_sentence(const std::string& what) {
  const std::string marker = "dlerror system message: ";
  const std::size_t begin = what.find(marker);
  if (begin == std::string::npos) return what;
  const std::size_t end = what.rfind("): ");
  return what.substr(begin + marker.size(), end == std::string::npos ? end : end - begin - marker.size());
}

boost::dll::shared_library map_library(const std::filesystem::path& file) {
  using boost::dll::load_mode::type;
  // NODELETE, so that the handle may go and the code stays: deleting an object after dlclose ends in SIGSEGV.
  const type mode =
      boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local | static_cast<type>(RTLD_NODELETE);
  try {
    return boost::dll::shared_library(file.string(), mode);
  } catch (const std::exception& error) {
    throw UserError(file.string(), "The plugin cannot be loaded: `" + loader_sentence(error.what()) + "`.",
                    "install the library that is missing, or build the plugin against what is installed here");
  }
}

// A plugin that ships its own LibTorch would give the process two dispatchers and two sets of types.
void refuse_second_torch(const std::filesystem::path& file) {
  std::set<std::string> copies;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const std::size_t path = line.find('/');
    if (path != std::string::npos && line.find("/libtorch_cpu.so", path) != std::string::npos)
      copies.insert(line.substr(path));
  }
  if (copies.size() > 1) {
    throw UserError(file.string(),
                    "The plugin brought a second LibTorch: `" + *copies.begin() + "` and `" + *copies.rbegin() + "`.",
                    "link it against the host's LibTorch and ship none");
  }
}

}  // namespace

const SeedbedPluginDescriptor& open_library(const std::filesystem::path& file) {
  const boost::dll::shared_library library = map_library(file);
  refuse_second_torch(file);
  if (!library.has(kDoor)) {
    throw UserError(file.string(), std::string("The library has no symbol `") + kDoor + "`.",
                    "SEEDBED_PLUGIN(function) in one of its sources defines it");
  }
  const auto& door = library.get<const SeedbedPluginDescriptor>(kDoor);
  if (door.size < sizeof(SeedbedPluginDescriptor) || door.epoch != kSeedbedPluginEpoch ||
      door.register_all == nullptr) {
    throw UserError(file.string(),
                    "The plugin's door is of another epoch: `" + std::to_string(door.epoch) + "`, here `" +
                        std::to_string(kSeedbedPluginEpoch) + "`.",
                    "build it with this host's SDK");
  }
  return door;
}

}  // namespace seedbed::plugin
