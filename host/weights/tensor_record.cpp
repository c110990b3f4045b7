#include "weights/tensor_record.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <ATen/ATen.h>

#include "weights/refusal.hpp"

namespace seedbed::weights {
namespace {

constexpr std::size_t kMostDimensions = 64;

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

[[noreturn]] void refuse_shape(std::string_view where, const std::vector<std::int64_t>& shape) {
  refuse(where, "The file holds a tensor that its data cannot fill: " + in_backticks(shape_text(shape)) + ".");
}

// Bytes of one number: half an element of a complex type.
std::size_t number_bytes(at::ScalarType type) {
  return c10::isComplexType(type) ? c10::elementSize(type) / 2 : c10::elementSize(type);
}

void reverse_each(std::span<std::byte> bytes, std::size_t number_size) {
  for (std::size_t i = 0; i + number_size <= bytes.size(); i += number_size) {
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i),
                 bytes.begin() + static_cast<std::ptrdiff_t>(i + number_size));
  }
}

bool usable_in_place(const StorageRecord& storage, at::ScalarType type) {
  const bool aligned = reinterpret_cast<std::uintptr_t>(storage.data.data()) % number_bytes(type) == 0;
  return aligned && (!storage.foreign_byte_order || number_bytes(type) == 1);
}

ByteBlock usable_bytes(const StorageRecord& storage, at::ScalarType type) {
  const ByteBlock bytes = storage.data.part(0, storage.num_bytes);
  if (usable_in_place(storage, type)) return bytes;
  const ByteBlock copy = ByteBlock::allocate(bytes.size());
  std::memcpy(copy.data(), bytes.data(), bytes.size());
  bytes.release_pages();
  if (storage.foreign_byte_order) reverse_each(copy.bytes(), number_bytes(type));
  return copy;
}

at::Tensor whole_storage(StorageRecord& storage, at::ScalarType type, std::string_view where) {
  if (storage.data.size() < storage.num_bytes) {
    refuse(where, "The file is cut short or damaged: a storage has too few bytes: " + in_backticks(storage.key) + ".");
  }
  const auto count = static_cast<std::int64_t>(storage.num_bytes / c10::elementSize(type));
  if (count == 0) return at::empty({0}, type);
  const ByteBlock bytes = usable_bytes(storage, type);
  const at::Tensor whole = at::from_blob(
      bytes.data(), {count}, [owner = bytes.owner()](void*) {}, type);
  // Any byte but 0 and 1 in a bool is undefined behaviour, and a file may hold any.
  return type == at::kBool ? whole.view(at::kByte).ne(0) : whole;
}

}  // namespace

TensorRecord make_tensor_record(StorageSpan span, std::int64_t offset, std::vector<std::int64_t> shape,
                                std::vector<std::int64_t> strides, std::string_view where) {
  if (shape.size() > kMostDimensions || shape.size() != strides.size() || offset < 0) refuse_shape(where, shape);
  TensorRecord record{std::move(span), 0, std::move(shape), std::move(strides), 1};
  std::int64_t last = offset;  // index of the element that lies farthest
  bool absurd = false;
  for (std::size_t i = 0; i < record.shape.size(); ++i) {
    const std::int64_t size = record.shape[i];
    const std::int64_t stride = record.strides[i];
    std::int64_t reach = 0;
    absurd =
        absurd || size < 0 || stride < 0 || __builtin_mul_overflow(record.num_elements, size, &record.num_elements) ||
        (size > 0 && __builtin_mul_overflow(size - 1, stride, &reach)) || __builtin_add_overflow(last, reach, &last);
  }
  const bool empty = record.num_elements == 0;
  if (absurd || (!empty && last >= record.span.num_elements)) refuse_shape(where, record.shape);
  record.offset = empty ? 0 : record.span.offset + offset;
  return record;
}

std::vector<std::int64_t> dense_strides(const std::vector<std::int64_t>& shape, bool column_major) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  std::uint64_t stride = 1;  // unsigned: absurd shapes may wrap, and are refused by make_tensor_record
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::size_t axis = column_major ? i : shape.size() - 1 - i;
    strides[axis] = static_cast<std::int64_t>(stride);
    stride *= static_cast<std::uint64_t>(std::max<std::int64_t>(shape[axis], 1));
  }
  return strides;
}

at::Tensor materialise(const TensorRecord& record, std::string_view where) {
  StorageRecord& storage = *record.span.storage;
  at::Tensor& whole = storage.whole[record.span.type];
  if (!whole.defined()) whole = whole_storage(storage, record.span.type, where);
  return whole.as_strided(record.shape, record.strides, record.offset);
}

}  // namespace seedbed::weights
