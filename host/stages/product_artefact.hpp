#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "protocol/stage.hpp"
#include "stages/image_product.hpp"
#include "weights/safetensors.hpp"

namespace seedbed::stages {

using Json = nlohmann::ordered_json;

/// Packs products into shards below a stage's folder (see README.md for the format). Equal products in equal order
/// give equal bytes. Threads: [one-at-a-time].
class ProductWriter {
 public:
  ProductWriter(std::filesystem::path artefact_folder, std::string_view key, std::int64_t shard_bytes = 128 << 20);

  void add(const std::string& image_id, const ImageProduct& product);

  /// Writes what is left, removes shards of an earlier attempt, and describes all files.
  std::vector<protocol::ArtefactFile> finish();

 private:
  void write_shard();

  std::filesystem::path artefact_folder_;
  std::filesystem::path folder_;
  std::int64_t shard_bytes_;
  std::string kind_ = "maps";
  std::string value_;
  weights::OrderedTensors tensors_;
  Json images_ = Json::object();
  std::int64_t bytes_ = 0;
  std::vector<protocol::ArtefactFile> files_;
};

/// A map stage's products, read where they are asked for. Tensors lie on a private mapping of the files.
/// Threads: [any-thread].
class ProductReader {
 public:
  /// Throws: UserError where the stage's files are missing or damaged.
  ProductReader(const std::filesystem::path& artefact_folder, std::string_view key);

  bool contains(std::string_view image_id) const { return images_.find(image_id) != images_.end(); }

  /// All images, in alphabetical order.
  std::vector<std::string> image_ids() const;

  /// Throws: ContractError for an image that is not there.
  ImageProduct read(std::string_view image_id) const;

 private:
  struct Place {
    std::shared_ptr<const weights::SafetensorsFile> file;
    Json description;
    std::string kind;
    std::string value;
  };

  void open_shard(const std::filesystem::path& shard);

  std::filesystem::path folder_;
  std::map<std::string, Place, std::less<>> images_;
};

}  // namespace seedbed::stages
