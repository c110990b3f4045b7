#include "weights/weights_file.hpp"

#include <map>
#include <utility>

#include <ATen/ATen.h>

#include "weights/inflate.hpp"
#include "weights/npy.hpp"
#include "weights/npy_objects.hpp"
#include "weights/pytorch_files.hpp"
#include "weights/refusal.hpp"
#include "weights/tensor_sets.hpp"

namespace seedbed::weights {
namespace {

bool is_half(at::ScalarType type) { return c10::isReducedFloatingType(type); }

// A few bytes can describe a tensor of any size (expanded views), and as many tensors as there are names.
void refuse_absurd_total(const TensorSet& set, std::size_t file_bytes, const std::string& where) {
  constexpr std::uint64_t kFold = 16;
  constexpr std::uint64_t kAlwaysAllowed = std::uint64_t{256} << 20;
  const std::uint64_t limit = kFold * file_bytes + kAlwaysAllowed;
  std::uint64_t total = 0;
  for (const auto& [name, tensor] : set.tensors) {
    std::uint64_t bytes = 0;
    const bool absurd = __builtin_mul_overflow(static_cast<std::uint64_t>(tensor->num_elements),
                                               c10::elementSize(tensor->span.type), &bytes) ||
                        __builtin_add_overflow(total, bytes, &total) || total > limit;
    if (absurd) refuse(where, "The file's tensors are absurdly large, beginning with " + in_backticks(name) + ".");
  }
}

OrderedTensors tensors_of(const TensorSet& set, bool widen, const std::string& where) {
  std::map<StorageRecord*, std::size_t> users_left;
  for (const auto& [name, record] : set.tensors) ++users_left[record->span.storage.get()];
  OrderedTensors tensors;
  for (const auto& [name, record] : set.tensors) {
    StorageRecord& storage = *record->span.storage;
    at::Tensor tensor = materialise(*record, where);
    const bool copied = widen && is_half(tensor.scalar_type());
    tensors.emplace_back(name, copied ? widened(tensor) : std::move(tensor));
    if (--users_left[&storage] > 0) continue;
    storage.whole.clear();
    if (copied) storage.data.release_pages();
  }
  return tensors;
}

WeightsFile from_object(const PickledObject& object, WeightsFormat format, std::size_t file_bytes,
                        const ReadOptions& options) {
  const std::string& where = object.tree->where();
  FoundTensors found = find_tensors(*object.root, where);
  TensorSet set = choose_set(found, options.set, where);
  WeightsFile result;
  result.format = format;
  result.set = set.name;
  for (const TensorSet& other : found.sets) {
    if (other.name != set.name) result.other_sets.push_back({other.name, other.tensors.size()});
  }
  result.other_entries = std::move(found.other_entries);
  result.wrapper = take_off_wrappers(set);
  refuse_absurd_total(set, file_bytes, where);
  result.tensors = tensors_of(set, options.widen, where);
  return result;
}

// Formats whose content is a pickle.
WeightsFile read_pickled(const ByteBlock& file, const std::string& where, const ReadOptions& options) {
  constexpr std::size_t kTarMark = 257;
  const WeightsFormat format = format_of(file, where);
  switch (format) {
    case WeightsFormat::pytorch_zip:
    case WeightsFormat::torchscript:
      return from_object(read_pytorch_zip(ZipArchive(file, where)), format, file.size(), options);
    case WeightsFormat::pytorch_legacy:
      return from_object(read_pytorch_legacy(file, where), format, file.size(), options);
    case WeightsFormat::npy_objects:
      return from_object(read_npy_of_objects(file, where), format, file.size(), options);
    case WeightsFormat::pickle:
      return from_object(read_plain_pickle(file, where), format, file.size(), options);
    default:
      break;
  }
  if (file.text().substr(0, kTarMark + 5).ends_with("ustar")) {
    refuse(where, "The file is a tar archive as PyTorch wrote before 0.2, which is not read.",
           "in PyTorch, load it and save it again");
  }
  refuse(
      where, "The weights file has a format that is not read.",
      "accepted: safetensors, torch.save, TorchScript archives, .npy, pickles of NumPy arrays; also gzipped pickles");
}

WeightsFile read_safetensors(const std::filesystem::path& file, bool widen) {
  const auto opened = SafetensorsFile::open(file);
  WeightsFile result;
  result.format = WeightsFormat::safetensors;
  for (const TensorEntry& entry : opened->entries()) {
    at::Tensor stored = opened->tensor(entry.name);
    const bool copied = widen && is_half(stored.scalar_type());
    result.tensors.emplace_back(entry.name, copied ? widened(stored) : std::move(stored));
    if (copied) opened->release(entry.name);
  }
  return result;
}

WeightsFile read_one_array(const std::filesystem::path& file, bool widen) {
  const at::Tensor values = read_npy(file);
  WeightsFile result;
  result.format = WeightsFormat::npy;
  result.tensors.emplace_back(file.stem().string(), widen ? widened(values) : values);
  return result;
}

}  // namespace

WeightsFile read_weights_file(const std::filesystem::path& file, const ReadOptions& options) {
  const std::string where = file.string();
  const ByteBlock mapping = ByteBlock::map(file);
  switch (format_of(mapping, where)) {
    case WeightsFormat::safetensors:
      return read_safetensors(file, options.widen);
    case WeightsFormat::npy:
      return read_one_array(file, options.widen);
    case WeightsFormat::gzip:
      return read_pickled(inflate_gzip(mapping, where), where, options);
    default:
      return read_pickled(mapping, where, options);
  }
}

at::Tensor widened(const at::Tensor& tensor) { return is_half(tensor.scalar_type()) ? tensor.to(at::kFloat) : tensor; }

std::size_t check_checksums(const std::filesystem::path& file) {
  const ByteBlock mapping = ByteBlock::map(file);
  if (!ZipArchive::is_zip(mapping)) return 0;
  const ZipArchive archive(mapping, file.string());
  std::size_t compared = 0;
  for (const ZipMember& member : archive.members()) {
    if (member.checksum == 0) continue;
    archive.read_checked(member);
    ++compared;
  }
  return compared;
}

}  // namespace seedbed::weights
