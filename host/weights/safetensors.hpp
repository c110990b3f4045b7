#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "weights/byte_block.hpp"

namespace seedbed::weights {

using Metadata = std::map<std::string, std::string, std::less<>>;

/// One entry of a file's header, checked.
struct TensorEntry {
  std::string name;
  std::string dtype;  ///< as in the file: "F32", "BF16" ...
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;  ///< bytes from the start of the data
  std::uint64_t end = 0;
};

/// A safetensors file, mapped; tensors are made when asked for.
///
/// Threads: [any-thread].
class SafetensorsFile {
 public:
  /// Throws: UserError naming the file (and the tensor): truncated, header length absurd, no JSON, repeated name,
  ///         unknown type, shape and offsets that disagree, overlap, leave holes or leave the file.
  static std::shared_ptr<const SafetensorsFile> open(const std::filesystem::path& file);

  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::filesystem::path& path() const { return path_; }

  /// In the order of the header.
  const std::vector<TensorEntry>& entries() const { return entries_; }
  bool contains(std::string_view name) const;

  /// The header's `__metadata__`.
  const Metadata& metadata() const { return metadata_; }

  /// The tensor in the file's own type, on the mapping (private and writable, kept alive by the tensor); a copy where
  /// the bytes are not aligned for the type. Throws: UserError with the nearest name.
  at::Tensor tensor(std::string_view name) const;

  /// Half and bfloat16 widened to float32; other types as tensor().
  at::Tensor widened(std::string_view name) const;

  /// Gives the memory of a tensor back that has been copied; it is read from the file again when wanted. Not for one
  /// that was written to.
  void release(std::string_view name) const;

 private:
  SafetensorsFile() = default;
  const TensorEntry& entry(std::string_view name) const;

  std::filesystem::path path_;
  ByteBlock bytes_;
  std::uint64_t data_begin_ = 0;
  std::vector<TensorEntry> entries_;
  std::map<std::string, std::size_t, std::less<>> index_;
  Metadata metadata_;
};

using OrderedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// Writes the tensors (any device, any layout) under a temporary name, syncs, renames into place. The header keeps the
/// given order; in the data larger element types come first, so that every tensor is aligned. Equal input gives equal
/// bytes.
/// Throws: UserError where the file cannot be written; ContractError for a repeated name or a type that the format lacks.
void write_safetensors(const std::filesystem::path& file, const OrderedTensors& tensors, const Metadata& metadata = {});

}  // namespace seedbed::weights
