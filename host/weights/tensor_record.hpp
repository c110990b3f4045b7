#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>

#include "weights/byte_block.hpp"

namespace seedbed::weights {

/// Memory that several tensors may share, as a file describes it. Its bytes may become known later than its tensors.
struct StorageRecord {
  std::string key;              ///< the file's own name for it
  std::uint64_t num_bytes = 0;  ///< what the file promises
  ByteBlock data;               ///< at least num_bytes, once known
  bool foreign_byte_order = false;
  std::map<at::ScalarType, at::Tensor> whole;  ///< all of it as a vector, made when first wanted
};

/// A part of a storage, counted in elements of `type`: what a reference to a storage means.
struct StorageSpan {
  std::shared_ptr<StorageRecord> storage;
  at::ScalarType type = at::ScalarType::Byte;
  std::int64_t offset = 0;
  std::int64_t num_elements = 0;
};

/// A tensor as a file describes it, checked against its storage's promised size.
struct TensorRecord {
  StorageSpan span;
  std::int64_t offset = 0;  ///< from the start of the storage, in elements
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;
  std::int64_t num_elements = 0;
};

/// Throws: UserError where a size is negative or absurd, or the tensor reaches beyond its span.
TensorRecord make_tensor_record(StorageSpan span, std::int64_t offset, std::vector<std::int64_t> shape,
                                std::vector<std::int64_t> strides, std::string_view where);

/// Strides of a tensor without gaps; `column_major`: the first index runs fastest.
std::vector<std::int64_t> dense_strides(const std::vector<std::int64_t>& shape, bool column_major = false);

/// The tensor itself, on the storage's bytes where they are aligned and in this machine's byte order, else on a copy
/// that all tensors of the storage share. Throws: UserError where the bytes are missing or too few.
at::Tensor materialise(const TensorRecord& record, std::string_view where);

}  // namespace seedbed::weights
