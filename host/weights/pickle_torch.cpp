#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "weights/pickle_globals.hpp"
#include "weights/refusal.hpp"

namespace seedbed::weights::pickle {
namespace {

Node* add_tensor(Tree& tree, StorageSpan span, const Arguments& arguments) {
  TensorRecord record = make_tensor_record(std::move(span), arguments.integer(1), arguments.integers(2),
                                           arguments.integers(3), tree.where());
  return tree.add(TensorPointer(std::make_shared<const TensorRecord>(std::move(record))));
}

// A lazily conjugated or negated view would need its values computed.
void refuse_metadata(const Arguments& arguments, std::size_t index) {
  if (index >= arguments.size()) return;
  const auto* metadata = arguments.node(index).get<Dictionary>();
  if (metadata && !metadata->entries.empty()) {
    refuse(arguments.where(), "The file holds a conjugated or negated view of a tensor, which is not read.");
  }
}

// (storage, offset, size, stride, requires_grad, hooks, metadata); the first form ends after stride.
Node* rebuild_tensor(Tree& tree, const Arguments& arguments) {
  refuse_metadata(arguments, 6);
  return add_tensor(tree, arguments.of<StorageSpan>(0), arguments);
}

// (storage, offset, size, stride, requires_grad, hooks, dtype, metadata): types that have no storage class.
Node* rebuild_tensor_of_type(Tree& tree, const Arguments& arguments) {
  refuse_metadata(arguments, 7);
  StorageSpan span = arguments.of<StorageSpan>(0);
  const auto type = arguments.of<at::ScalarType>(6);
  if (c10::elementSize(span.type) != 1 || span.offset != 0) arguments.refuse_argument(0);
  span.type = type;
  span.num_elements /= static_cast<std::int64_t>(c10::elementSize(type));
  return add_tensor(tree, std::move(span), arguments);
}

Node* first_argument(Tree&, const Arguments& arguments) { return &arguments.node(0); }

Node* make_size(Tree& tree, const Arguments& arguments) {
  const auto& items = arguments.of<Sequence>(0).items;
  tree.count_copied(items.size());
  return tree.add(Sequence{items});
}

Node* make_device(Tree& tree, const Arguments& arguments) { return tree.add(Text{arguments.bytes(0)}); }

constexpr KnownGlobal storage_class(std::string_view name, at::ScalarType type, std::string_view module = "torch") {
  return {.module = module, .name = name, .construct = nullptr, .element_type = type, .refusal = {}};
}

constexpr KnownGlobal refused(std::string_view module, std::string_view name, std::string_view refusal) {
  return {.module = module, .name = name, .construct = nullptr, .element_type = std::nullopt, .refusal = refusal};
}

constexpr std::string_view kSparse = "The file holds a sparse tensor, which is not read:";
constexpr std::string_view kQuantised = "The file holds a quantised tensor, which is not read:";
constexpr std::string_view kSubclass = "The file holds a tensor of a Python subclass, which is not read:";
constexpr std::string_view kEmptyMeta = "The file holds a tensor without data (device `meta`):";
constexpr std::string_view kPlainPickle = "The file is a plain pickle of tensors; save it by torch.save:";

constexpr auto kGlobals = std::to_array<KnownGlobal>({
    {.module = "torch._utils", .name = "_rebuild_tensor", .construct = rebuild_tensor},
    {.module = "torch._utils", .name = "_rebuild_tensor_v2", .construct = rebuild_tensor},
    {.module = "torch._utils", .name = "_rebuild_tensor_v3", .construct = rebuild_tensor_of_type},
    {.module = "torch._utils", .name = "_rebuild_parameter", .construct = first_argument},
    {.module = "torch._utils", .name = "_rebuild_parameter_with_state", .construct = first_argument},
    {.module = "torch.nn.parameter", .name = "Parameter", .construct = first_argument},
    {.module = "torch", .name = "Size", .construct = make_size},
    {.module = "torch", .name = "device", .construct = make_device},
    {.module = "torch", .name = "Tensor"},
    // TorchScript archives
    {.module = "torch.jit._pickle", .name = "build_intlist", .construct = first_argument},
    {.module = "torch.jit._pickle", .name = "build_doublelist", .construct = first_argument},
    {.module = "torch.jit._pickle", .name = "build_boollist", .construct = first_argument},
    {.module = "torch.jit._pickle", .name = "build_tensorlist", .construct = first_argument},
    {.module = "torch.jit._pickle", .name = "restore_type_tag", .construct = first_argument},
    storage_class("DoubleStorage", at::kDouble),
    storage_class("FloatStorage", at::kFloat),
    storage_class("HalfStorage", at::kHalf),
    storage_class("BFloat16Storage", at::kBFloat16),
    storage_class("LongStorage", at::kLong),
    storage_class("IntStorage", at::kInt),
    storage_class("ShortStorage", at::kShort),
    storage_class("CharStorage", at::kChar),
    storage_class("ByteStorage", at::kByte),
    storage_class("BoolStorage", at::kBool),
    storage_class("ComplexDoubleStorage", at::kComplexDouble),
    storage_class("ComplexFloatStorage", at::kComplexFloat),
    storage_class("UntypedStorage", at::kByte, "torch.storage"),
    refused("torch._utils", "_rebuild_sparse_tensor", kSparse),
    refused("torch._utils", "_rebuild_sparse_csr_tensor", kSparse),
    refused("torch.serialization", "_get_layout", kSparse),
    refused("torch._utils", "_rebuild_qtensor", kQuantised),
    refused("torch", "QInt8Storage", kQuantised),
    refused("torch", "QUInt8Storage", kQuantised),
    refused("torch", "QInt32Storage", kQuantised),
    refused("torch._utils", "_rebuild_meta_tensor_no_storage", kEmptyMeta),
    refused("torch._utils", "_rebuild_wrapper_subclass", kSubclass),
    refused("torch._tensor", "_rebuild_from_type_v2", kSubclass),
    refused("torch.storage", "_load_from_bytes", kPlainPickle),
});

struct NamedType {
  std::string_view name;
  at::ScalarType type;
};

constexpr auto kTypes = std::to_array<NamedType>({
    {"float64", at::kDouble},
    {"float32", at::kFloat},
    {"float16", at::kHalf},
    {"bfloat16", at::kBFloat16},
    {"int64", at::kLong},
    {"int32", at::kInt},
    {"int16", at::kShort},
    {"int8", at::kChar},
    {"uint8", at::kByte},
    {"uint16", at::kUInt16},
    {"uint32", at::kUInt32},
    {"uint64", at::kUInt64},
    {"bool", at::kBool},
    {"complex64", at::kComplexFloat},
    {"complex128", at::kComplexDouble},
    {"float8_e4m3fn", at::kFloat8_e4m3fn},
    {"float8_e5m2", at::kFloat8_e5m2},
});

}  // namespace

std::span<const KnownGlobal> torch_globals() { return kGlobals; }

std::optional<at::ScalarType> torch_type(std::string_view name) {
  const auto found = std::find_if(kTypes.begin(), kTypes.end(), [&](const NamedType& t) { return t.name == name; });
  return found == kTypes.end() ? std::nullopt : std::optional(found->type);
}

// ("storage", class, key, device, elements); legacy files add None or (key, offset, elements) of a view.
StorageReference storage_reference(const Node& persistent_id, std::string_view where) {
  const Arguments parts("storage", persistent_id, where);
  if (parts.bytes(0) != "storage") parts.refuse_argument(0);
  const KnownGlobal& storage_class = *parts.of<const KnownGlobal*>(1);
  if (!storage_class.refusal.empty())
    refuse(where, std::string(storage_class.refusal) + " " + in_backticks(storage_class.name) + ".");
  if (!storage_class.element_type) parts.refuse_argument(1);
  StorageReference reference{*storage_class.element_type, std::string(parts.bytes(2)), parts.integer(4), 0, 0, 0};
  if (reference.num_elements < 0 || __builtin_mul_overflow(static_cast<std::uint64_t>(reference.num_elements),
                                                           c10::elementSize(reference.type), &reference.num_bytes)) {
    parts.refuse_argument(4);
  }
  reference.view_elements = reference.num_elements;
  if (parts.size() > 5 && !parts.node(5).get<None>()) {
    const Arguments view("storage view", parts.node(5), where);
    reference.view_offset = view.integer(1);
    reference.view_elements = view.integer(2);
    if (reference.view_offset < 0 || reference.view_elements < 0 ||
        reference.view_elements > reference.num_elements - reference.view_offset) {
      parts.refuse_argument(5);
    }
  }
  return reference;
}

}  // namespace seedbed::weights::pickle
