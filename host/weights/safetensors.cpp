#include "weights/safetensors.hpp"

#include <cstring>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "weights/element_types.hpp"
#include "weights/safetensors_header.hpp"

namespace seedbed::weights {

SafetensorsFile::~SafetensorsFile() = default;

std::shared_ptr<const SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& file) {
  std::shared_ptr<SafetensorsFile> opened(new SafetensorsFile);
  opened->path_ = file;
  opened->bytes_ = ByteBlock::map(file);
  SafetensorsHeader header = read_safetensors_header(opened->bytes_.bytes(), file);
  opened->data_begin_ = header.data_begin;
  opened->entries_ = std::move(header.entries);
  opened->metadata_ = std::move(header.metadata);
  for (std::size_t i = 0; i < opened->entries_.size(); ++i) opened->index_.emplace(opened->entries_[i].name, i);
  return opened;
}

bool SafetensorsFile::contains(std::string_view name) const { return index_.contains(name); }

const TensorEntry& SafetensorsFile::entry(std::string_view name) const {
  if (const auto found = index_.find(name); found != index_.end()) return entries_[found->second];
  std::vector<std::string> names;
  for (const TensorEntry& known : entries_) names.push_back(known.name);
  const std::string near = nearest_name(name, names);
  throw UserError(
      path_.string(), "The file holds no such tensor: `" + std::string(name) + "`.",
      near.empty() ? "It holds " + std::to_string(names.size()) + " tensors." : "Did you mean `" + near + "`?");
}

at::Tensor SafetensorsFile::tensor(std::string_view name) const {
  const TensorEntry& wanted = entry(name);
  const at::ScalarType type = element_type_from(wanted.dtype).value();
  if (wanted.begin == wanted.end) return at::empty(wanted.shape, type);
  const ByteBlock bytes = bytes_.part(data_begin_ + wanted.begin, wanted.end - wanted.begin);
  std::byte* data = bytes.data();
  const auto on_mapping = [&](at::ScalarType as, at::IntArrayRef shape) {
    return at::from_blob(
        data, shape, [owner = bytes.owner()](void*) {}, at::TensorOptions(as));
  };
  // A byte of a file may be any number, a bool only 0 or 1.
  if (type == at::kBool) return on_mapping(at::kByte, wanted.shape).ne(0);
  if (reinterpret_cast<std::uintptr_t>(data) % c10::elementSize(type) == 0) return on_mapping(type, wanted.shape);
  at::Tensor copy = at::empty(wanted.shape, type);
  std::memcpy(copy.mutable_data_ptr(), data, bytes.size());
  bytes.release_pages();
  return copy;
}

at::Tensor SafetensorsFile::widened(std::string_view name) const {
  const at::Tensor stored = tensor(name);
  const bool is_half = stored.scalar_type() == at::kHalf || stored.scalar_type() == at::kBFloat16;
  return is_half ? stored.to(at::kFloat) : stored;
}

void SafetensorsFile::release(std::string_view name) const {
  const TensorEntry& copied = entry(name);
  bytes_.part(data_begin_ + copied.begin, copied.end - copied.begin).release_pages();
}

}  // namespace seedbed::weights
