#include <array>
#include <string>
#include <utility>

#include "weights/pickle_globals.hpp"
#include "weights/refusal.hpp"

namespace seedbed::weights::pickle {
namespace {

// A dictionary from none, another dictionary, or a list of pairs (as Python 2 writes an OrderedDict).
Node* make_dictionary_from(Tree& tree, const Arguments& arguments, std::size_t index) {
  Dictionary dictionary;
  if (index < arguments.size()) {
    const Node& content = arguments.node(index);
    if (const auto* other = content.get<Dictionary>()) {
      tree.count_copied(other->entries.size());
      dictionary = *other;
    } else {
      const auto& pairs = arguments.of<Sequence>(index).items;
      tree.count_copied(pairs.size());
      for (const Node* pair : pairs) {
        const auto* items = pair->get<Sequence>();
        if (!items || items->items.size() != 2) arguments.refuse_argument(index);
        dictionary.entries.emplace_back(items->items[0], items->items[1]);
      }
    }
  }
  return tree.add(std::move(dictionary));
}

Node* make_dictionary(Tree& tree, const Arguments& arguments) { return make_dictionary_from(tree, arguments, 0); }

// The first argument makes missing values, and would be code if it were called.
Node* make_default_dictionary(Tree& tree, const Arguments& arguments) {
  return make_dictionary_from(tree, arguments, 1);
}

Node* make_sequence(Tree& tree, const Arguments& arguments) {
  Sequence sequence;
  if (arguments.size() > 0) {
    const auto& items = arguments.of<Sequence>(0).items;
    tree.count_copied(items.size());
    sequence.items = items;
  }
  return tree.add(std::move(sequence));
}

std::uint32_t next_code_point(std::string_view& utf8, const Arguments& arguments) {
  const auto lead = static_cast<unsigned char>(utf8.front());
  if (lead < 0x80) {
    utf8.remove_prefix(1);
    return lead;
  }
  // Latin-1's upper half takes two bytes; anything longer is no Latin-1.
  if (utf8.size() < 2 || (lead & 0xfeu) != 0xc2u) arguments.refuse_argument(0);
  const auto next = static_cast<unsigned char>(utf8[1]);
  utf8.remove_prefix(2);
  return (lead & 0x03u) << 6 | (next & 0x3fu);
}

// codecs.encode(text, "latin1"): how Python 3 writes bytes in protocols that have none.
Node* encode_text(Tree& tree, const Arguments& arguments) {
  std::string_view text = arguments.bytes(0);
  if (arguments.size() > 1 && arguments.bytes(1) != "latin1") arguments.refuse_argument(1);
  std::string bytes;
  while (!text.empty()) bytes += static_cast<char>(next_code_point(text, arguments));
  return tree.add(Bytes{tree.add_text(std::move(bytes))});
}

Node* make_bytes(Tree& tree, const Arguments& arguments) {
  if (arguments.size() == 0) return tree.add(Bytes{});
  if (arguments.node(0).get<Sequence>()) {  // bytes([1, 2, 3])
    std::string bytes;
    for (const std::int64_t value : arguments.integers(0)) bytes += static_cast<char>(value);
    return tree.add(Bytes{tree.add_text(std::move(bytes))});
  }
  return arguments.size() > 1 ? encode_text(tree, arguments) : tree.add(Bytes{arguments.bytes(0)});
}

// copyreg's ways of making an instance of a class given as first argument, of built-in base and state.
Node* make_instance(Tree& tree, const Arguments& arguments) {
  Node* const nothing = tree.add(Sequence{});
  return construct(tree, arguments.node(0), *nothing);
}

constexpr auto kGlobals = std::to_array<KnownGlobal>({
    {.module = "collections", .name = "OrderedDict", .construct = make_dictionary},
    {.module = "collections", .name = "Counter", .construct = make_dictionary},
    {.module = "collections", .name = "defaultdict", .construct = make_default_dictionary},
    {.module = "builtins", .name = "dict", .construct = make_dictionary},
    {.module = "builtins", .name = "list", .construct = make_sequence},
    {.module = "builtins", .name = "tuple", .construct = make_sequence},
    {.module = "builtins", .name = "set", .construct = make_sequence},
    {.module = "builtins", .name = "frozenset", .construct = make_sequence},
    {.module = "builtins", .name = "bytes", .construct = make_bytes},
    {.module = "builtins", .name = "bytearray", .construct = make_bytes},
    {.module = "builtins", .name = "object"},  // these four only as factories and bases, never called
    {.module = "builtins", .name = "int"},
    {.module = "builtins", .name = "float"},
    {.module = "builtins", .name = "str"},
    {.module = "_codecs", .name = "encode", .construct = encode_text},
    {.module = "copyreg", .name = "_reconstructor", .construct = make_instance},
    {.module = "copyreg", .name = "__newobj__", .construct = make_instance},
});

}  // namespace

std::span<const KnownGlobal> container_globals() { return kGlobals; }

}  // namespace seedbed::weights::pickle
