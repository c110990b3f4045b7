#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "weights/pickle_globals.hpp"
#include "weights/refusal.hpp"

namespace seedbed::weights::pickle {
namespace {

struct TypeCode {
  char kind;
  std::size_t element_bytes;
  at::ScalarType type;
};

constexpr auto kTypeCodes = std::to_array<TypeCode>({
    {'b', 1, at::kBool},
    {'i', 1, at::kChar},
    {'i', 2, at::kShort},
    {'i', 4, at::kInt},
    {'i', 8, at::kLong},
    {'u', 1, at::kByte},
    {'u', 2, at::kUInt16},
    {'u', 4, at::kUInt32},
    {'u', 8, at::kUInt64},
    {'f', 2, at::kHalf},
    {'f', 4, at::kFloat},
    {'f', 8, at::kDouble},
    {'c', 8, at::kComplexFloat},
    {'c', 16, at::kComplexDouble},
});

std::optional<at::ScalarType> torch_type_of(const NumpyType& type) {
  for (const TypeCode& code : kTypeCodes) {
    if (code.kind == type.kind && code.element_bytes == type.element_bytes) return code.type;
  }
  return std::nullopt;
}

Node* begin_array(Tree& tree, const Arguments&) { return tree.add(UnfinishedArray{}); }

// "f4", "O8", "U11"; a byte order may stand before it, and otherwise comes with the state.
Node* make_type(Tree& tree, const Arguments& arguments) {
  std::string_view code = arguments.bytes(0);
  NumpyType type;
  if (!code.empty() && std::string_view("<>|=").find(code.front()) != std::string_view::npos) {
    type.foreign_byte_order = code.front() == '>';
    code.remove_prefix(1);
  }
  if (code.empty() || code.size() > 8) arguments.refuse_argument(0);
  type.kind = code.front();
  for (const char digit : code.substr(1)) {
    if (digit < '0' || digit > '9') arguments.refuse_argument(0);
    type.element_bytes = type.element_bytes * 10 + static_cast<std::size_t>(digit - '0');
  }
  return tree.add(type);
}

TensorPointer array_on(Tree& tree, const NumpyType& type, at::ScalarType element, std::vector<std::int64_t> shape,
                       bool column_major, std::string_view bytes) {
  auto storage = std::make_shared<StorageRecord>();
  storage->key = "NumPy array";
  storage->num_bytes = bytes.size();
  storage->data = tree.block_of(bytes);
  storage->foreign_byte_order = type.foreign_byte_order;
  const auto count = static_cast<std::int64_t>(bytes.size() / type.element_bytes);
  std::vector<std::int64_t> strides = dense_strides(shape, column_major);
  TensorRecord record = make_tensor_record({std::move(storage), element, 0, count}, 0, std::move(shape),
                                           std::move(strides), tree.where());
  if (bytes.size() % type.element_bytes != 0 || record.num_elements != count) {
    refuse(tree.where(), "The pickle is damaged: a NumPy array's shape and data disagree.");
  }
  return std::make_shared<const TensorRecord>(std::move(record));
}

void fill_array(Tree& tree, Node& array, const NumpyType& type, const std::vector<std::int64_t>& shape,
                bool column_major, Node& data) {
  if (auto* objects = data.get<Sequence>()) {
    tree.count_copied(objects->items.size());
    array.value = *objects;
    return;
  }
  const auto bytes = bytes_of(data);
  if (!bytes) refuse(tree.where(), "The pickle is damaged: a NumPy array has no data.");
  const auto element = torch_type_of(type);
  if (element) {
    array.value = array_on(tree, type, *element, shape, column_major, *bytes);
  } else {
    array.value = Bytes{*bytes};  // text, dates and records are no weights
  }
}

template <typename T>
T value_from(const at::Tensor& scalar) {
  T value;
  std::memcpy(&value, scalar.const_data_ptr(), sizeof value);
  return value;
}

// Integers and floats of a scalar become plain numbers, so that dictionaries may be keyed by them.
Node* plain_number(Tree& tree, const TensorPointer& scalar) {
  const at::ScalarType type = scalar->span.type;
  const at::Tensor value = materialise(*scalar, tree.where());
  switch (type) {
    case at::kBool:
      return tree.add(value_from<bool>(value));
    case at::kChar:
      return tree.add(std::int64_t{value_from<std::int8_t>(value)});
    case at::kShort:
      return tree.add(std::int64_t{value_from<std::int16_t>(value)});
    case at::kInt:
      return tree.add(std::int64_t{value_from<std::int32_t>(value)});
    case at::kLong:
      return tree.add(value_from<std::int64_t>(value));
    case at::kByte:
      return tree.add(std::int64_t{value_from<std::uint8_t>(value)});
    case at::kUInt16:
      return tree.add(std::int64_t{value_from<std::uint16_t>(value)});
    case at::kUInt32:
      return tree.add(std::int64_t{value_from<std::uint32_t>(value)});
    case at::kFloat:
      return tree.add(double{value_from<float>(value)});
    case at::kDouble:
      return tree.add(value_from<double>(value));
    default:
      return tree.add(scalar);
  }
}

Node* make_scalar(Tree& tree, const Arguments& arguments) {
  const auto& type = arguments.of<NumpyType>(0);
  if (type.kind == 'O') return &arguments.node(1);
  const auto element = torch_type_of(type);
  if (!element) return tree.add(Bytes{arguments.bytes(1)});
  return plain_number(tree, array_on(tree, type, *element, {}, false, arguments.bytes(1)));
}

// numpy.core.numeric._frombuffer(buffer, dtype, shape, order): protocol 5.
Node* make_array_from_buffer(Tree& tree, const Arguments& arguments) {
  Node* const array = tree.add(UnfinishedArray{});
  fill_array(tree, *array, arguments.of<NumpyType>(1), arguments.integers(2), arguments.bytes(3) == "F",
             arguments.node(0));
  return array;
}

// NumPy 2 renamed `core` to `_core`.
constexpr auto kGlobals = std::to_array<KnownGlobal>({
    {.module = "numpy", .name = "ndarray"},
    {.module = "numpy", .name = "dtype", .construct = make_type},
    {.module = "numpy.core.multiarray", .name = "_reconstruct", .construct = begin_array},
    {.module = "numpy._core.multiarray", .name = "_reconstruct", .construct = begin_array},
    {.module = "numpy.core.multiarray", .name = "scalar", .construct = make_scalar},
    {.module = "numpy._core.multiarray", .name = "scalar", .construct = make_scalar},
    {.module = "numpy.core.numeric", .name = "_frombuffer", .construct = make_array_from_buffer},
    {.module = "numpy._core.numeric", .name = "_frombuffer", .construct = make_array_from_buffer},
});

}  // namespace

std::span<const KnownGlobal> numpy_globals() { return kGlobals; }

// (version, byte order, subarray, names, fields, size, alignment, flags)
void finish_numpy_type(Tree& tree, NumpyType& type, Node& state) {
  const Arguments parts("numpy.dtype.__setstate__", state, tree.where());
  const std::string_view order = parts.bytes(1);
  type.foreign_byte_order = order == ">";
  if (parts.size() > 4 && (!parts.node(2).get<None>() || !parts.node(4).get<None>())) {
    refuse(tree.where(), "The pickle holds NumPy arrays of records, which are not read.");
  }
}

// (version, shape, dtype, column major, data); NumPy before 1.0 left the version out.
void finish_array(Tree& tree, Node& array, Node& state) {
  const Arguments parts("numpy.ndarray.__setstate__", state, tree.where());
  const std::size_t first = parts.size() == 4 ? 0 : 1;
  fill_array(tree, array, parts.of<NumpyType>(first + 1), parts.integers(first), parts.flag(first + 2),
             parts.node(first + 3));
}

}  // namespace seedbed::weights::pickle
