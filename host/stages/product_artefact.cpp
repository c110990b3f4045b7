#include "stages/product_artefact.hpp"

#include <algorithm>
#include <cstdio>
#include <set>

#include <ATen/ATen.h>

#include "protocol/artefact_paths.hpp"
#include "seedbed/error.hpp"
#include "stages/artefact_file.hpp"

namespace seedbed::stages {
namespace fs = std::filesystem;
namespace {

constexpr int kFormat = 1;
constexpr const char* kMetadata = "seedbed";

std::string shard_name(const std::string& kind, std::size_t number) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "-%05zu", number);
  return kind + digits + ".safetensors";
}

bool is_shard(const fs::path& file) {
  const std::string name = file.filename().string();
  return (name.starts_with("maps-") || name.starts_with("labels-")) && name.ends_with(".safetensors");
}

Json description_of(const ImageProduct& product) {
  Json description{{"size", {product.height_px, product.width_px}}};
  if (!product.maps) return description;
  const Area& area = product.maps->covered.at(0);
  description["planes"] = product.maps->planes;
  description["covered"] = {area.top, area.left, area.bottom, area.right};
  return description;
}

constexpr std::int64_t kBits = 8;

at::Tensor bit_values() { return at::pow(2, at::arange(kBits - 1, -1, -1)).to(at::kByte); }

// [Q,H,W] bool -> [Q,H,ceil(W/8)] uint8, the leftmost column in the highest bit.
at::Tensor packed(const at::Tensor& masks_qhw) {
  const std::int64_t columns = (masks_qhw.size(2) + kBits - 1) / kBits;
  const at::Tensor padded = at::constant_pad_nd(masks_qhw.to(at::kByte), {0, columns * kBits - masks_qhw.size(2)})
                                .unflatten(2, {columns, kBits});
  return (padded * bit_values()).sum(3, /*keepdim=*/false, at::kByte);
}

at::Tensor unpacked(const at::Tensor& packed_qhb, std::int64_t width) {
  return packed_qhb.unsqueeze(3).bitwise_and(bit_values()).ne(0).flatten(2).narrow(2, 0, width);
}

NamedTensors tensors_of(const std::vector<Instance>& instances, std::int64_t height, std::int64_t width) {
  const auto count = static_cast<std::int64_t>(instances.size());
  at::Tensor masks = at::empty({count, height, width}, at::kBool), classes = at::empty({count}, at::kLong),
             scores = at::empty({count}, at::kDouble);
  for (std::int64_t q = 0; q < count; ++q) {
    const Instance& instance = instances[static_cast<std::size_t>(q)];
    masks[q].copy_(instance.mask_hw);
    classes[q] = instance.class_id;
    scores[q] = instance.score;
  }
  return {{"instances", packed(masks)}, {"instance_classes", classes}, {"instance_scores", scores}};
}

std::vector<Instance> instances_from(const weights::SafetensorsFile& file, const std::string& image_id,
                                     std::int64_t width) {
  const at::Tensor masks = unpacked(file.tensor(image_id + "/instances"), width),
                   classes = file.tensor(image_id + "/instance_classes"),
                   scores = file.tensor(image_id + "/instance_scores");
  std::vector<Instance> instances;
  for (std::int64_t q = 0; q < masks.size(0); ++q) {
    instances.push_back({masks[q], classes[q].item<std::int64_t>(), scores[q].item<double>()});
  }
  return instances;
}

ScoreMaps maps_from(const at::Tensor& scores_phw, const Json& description, const std::string& value) {
  ScoreMaps maps;
  maps.scores_nphw = scores_phw.unsqueeze(0);
  maps.planes = description.at("planes").get<std::vector<std::int64_t>>();
  maps.value = value == "probability" ? ValueKind::probability : ValueKind::evidence;
  const auto area = description.at("covered").get<std::vector<double>>();
  maps.covered = {{area.at(0), area.at(1), area.at(2), area.at(3)}};
  return maps;
}

}  // namespace

ProductWriter::ProductWriter(fs::path artefact_folder, std::string_view key, std::int64_t shard_bytes)
    : artefact_folder_(std::move(artefact_folder)),
      folder_(artefact_folder_ / protocol::stage_folder(key)),
      shard_bytes_(shard_bytes) {}

void ProductWriter::add(const std::string& image_id, const ImageProduct& product) {
  const auto keep = [&](const std::string& name, const at::Tensor& tensor) {
    // A clone: a view of a larger tensor, or of a mapped file, would keep all of that alive.
    tensors_.emplace_back(name, tensor.detach().to(at::kCPU).contiguous().clone());
    bytes_ += static_cast<std::int64_t>(tensors_.back().second.nbytes());
  };
  if (product.maps) {
    kind_ = "maps";
    value_ = product.maps->value == ValueKind::probability ? "probability" : "evidence";
    keep(image_id, product.maps->scores_nphw[0]);
    if (product.logits_c.defined()) keep(image_id + "/logits", product.logits_c);
    if (product.instances) {
      for (const auto& [name, tensor] : tensors_of(*product.instances, product.height_px, product.width_px)) {
        keep(image_id + "/" + name, tensor);
      }
    }
  } else {
    kind_ = "labels";
    keep(image_id, product.labels->labels_nhw[0]);
    if (product.labels->confidence_nhw.defined()) keep(image_id + "/confidence", product.labels->confidence_nhw[0]);
  }
  images_[image_id] = description_of(product);
  if (bytes_ >= shard_bytes_) write_shard();
}

void ProductWriter::write_shard() {
  Json header{{"format", kFormat}, {"kind", kind_}};
  if (kind_ == "maps") header["value"] = value_;
  header["images"] = std::move(images_);
  const fs::path file = folder_ / shard_name(kind_, files_.size());
  fs::create_directories(folder_);
  weights::write_safetensors(file, tensors_, {{kMetadata, header.dump()}});
  files_.push_back(artefact_file(kind_, artefact_folder_, file));
  tensors_.clear();
  images_ = Json::object();
  bytes_ = 0;
}

std::vector<protocol::ArtefactFile> ProductWriter::finish() {
  if (!images_.empty() || files_.empty()) write_shard();
  std::set<fs::path> written;
  for (const protocol::ArtefactFile& file : files_) written.insert(artefact_folder_ / file.path);
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (is_shard(entry.path()) && !written.contains(entry.path())) fs::remove(entry.path());
  }
  return files_;
}

ProductReader::ProductReader(const fs::path& artefact_folder, std::string_view key)
    : folder_(artefact_folder / protocol::stage_folder(key)) {
  std::vector<fs::path> shards;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    if (is_shard(entry.path())) shards.push_back(entry.path());
  }
  if (shards.empty()) {
    throw UserError(folder_.string(), "The maps of an earlier stage are not there.",
                    "run the study again: they will be made");
  }
  std::sort(shards.begin(), shards.end());
  for (const fs::path& shard : shards) open_shard(shard);
}

void ProductReader::open_shard(const fs::path& shard) {
  const auto file = weights::SafetensorsFile::open(shard);
  const auto metadata = file->metadata().find(kMetadata);
  const Json header = metadata == file->metadata().end() ? Json() : Json::parse(metadata->second, nullptr, false);
  if (!header.is_object() || header.value("format", 0) != kFormat) {
    throw UserError(shard.string(), "The file holds no maps of this format.",
                    "remove its folder; the stage will run again");
  }
  for (const auto& [image, description] : header.at("images").items()) {
    images_[image] = {file, description, header.at("kind"), header.value("value", "")};
  }
}

std::vector<std::string> ProductReader::image_ids() const {
  std::vector<std::string> ids;
  ids.reserve(images_.size());
  for (const auto& [id, place] : images_) ids.push_back(id);
  return ids;
}

ImageProduct ProductReader::read(std::string_view image_id) const {
  const auto found = images_.find(image_id);
  if (found == images_.end()) {
    throw ContractError("plan", "a stage's images are a part of its inputs'",
                        "`" + std::string(image_id) + "` in `" + folder_.string() + "`", "no such image");
  }
  const Place& place = found->second;
  const std::string name(image_id);
  ImageProduct product;
  product.height_px = place.description.at("size").at(0);
  product.width_px = place.description.at("size").at(1);
  if (place.kind == "maps") {
    product.maps = maps_from(place.file->tensor(name), place.description, place.value);
    if (place.file->contains(name + "/logits")) product.logits_c = place.file->tensor(name + "/logits");
    if (place.file->contains(name + "/instances")) {
      product.instances = instances_from(*place.file, name, product.width_px);
    }
  } else {
    product.labels.emplace();
    product.labels->labels_nhw = place.file->tensor(name).unsqueeze(0);
    if (place.file->contains(name + "/confidence")) {
      product.labels->confidence_nhw = place.file->tensor(name + "/confidence").unsqueeze(0);
    }
  }
  return product;
}

}  // namespace seedbed::stages
