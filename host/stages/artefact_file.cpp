#include "stages/artefact_file.hpp"

#include "digest/sha256.hpp"

namespace seedbed::stages {

protocol::ArtefactFile artefact_file(std::string name, const std::filesystem::path& artefact_folder,
                                     const std::filesystem::path& file) {
  protocol::ArtefactFile described;
  described.name = std::move(name);
  described.path = file.lexically_relative(artefact_folder).string();
  described.digest = digest::sha256_file(file);
  described.bytes = static_cast<std::int64_t>(std::filesystem::file_size(file));
  return described;
}

}  // namespace seedbed::stages
