#include "protocol/artefact_paths.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <unistd.h>

#include "seedbed/error.hpp"

namespace seedbed::protocol {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail(const fs::path& path, const std::string& sentence) {
  throw UserError(path.string(), sentence + ": `" + std::strerror(errno) + "`.",
                  "check the free space and the permissions of the folder");
}

class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags) : value_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (value_ < 0) fail(path, "The file cannot be opened");
  }
  ~Descriptor() { ::close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

void sync_path(const fs::path& path, int flags) {
  const Descriptor descriptor(path, flags);
  if (::fsync(descriptor.get()) != 0) fail(path, "The file cannot be written to the disk");
}

void write_all(const fs::path& path, std::string_view bytes) {
  const Descriptor descriptor(path, O_WRONLY | O_CREAT | O_TRUNC);
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = ::write(descriptor.get(), bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno != EINTR) fail(path, "The file cannot be written");
    if (count > 0) written += static_cast<std::size_t>(count);
  }
}

}  // namespace

fs::path stage_folder(std::string_view key) { return fs::path(key.substr(0, 2)) / std::string(key.substr(2)); }

void commit_durably(const fs::path& temporary, const fs::path& path) {
  sync_path(temporary, O_RDONLY);
  if (::rename(temporary.c_str(), path.c_str()) != 0) fail(path, "The file cannot be put in place");
  sync_path(path.parent_path(), O_RDONLY | O_DIRECTORY);
}

void write_durably(const fs::path& path, std::string_view bytes) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) {
    throw UserError(path.parent_path().string(), "The folder cannot be made: `" + error.message() + "`.",
                    "check the permissions of the folder above it");
  }
  // The process id keeps two writers of one path apart; the rename makes the last one win whole.
  const fs::path temporary = path.string() + ".part" + std::to_string(::getpid());
  write_all(temporary, bytes);
  commit_durably(temporary, path);
}

fs::path write_result_file(const fs::path& inbox, const StageResult& result) {
  const fs::path file = inbox / (result.key + "-" + std::to_string(result.attempt) + ".json");
  write_durably(file, Json(result).dump(1));
  return file;
}

StageResult read_result_file(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw UserError(file.string(), "The result file cannot be opened.", "check its permissions");
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("version")) {
    throw UserError(file.string(), "The result file is torn.", "remove it; the stage will run again");
  }
  if (json["version"] != kProtocolVersion) {
    throw UserError(file.string(), "The result file is of another protocol version: `" + json["version"].dump() + "`.",
                    "run it through the program version that wrote it, or remove it");
  }
  try {
    return json.get<StageResult>();
  } catch (const ContractError& error) {
    throw UserError(file.string(), std::string("The result file is malformed: `") + error.found() + "`.",
                    "remove it; the stage will run again");
  }
}

}  // namespace seedbed::protocol
