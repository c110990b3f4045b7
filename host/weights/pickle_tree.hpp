#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <c10/core/ScalarType.h>

#include "weights/byte_block.hpp"
#include "weights/tensor_record.hpp"

/// What a pickle holds, as data: nothing here can act.
namespace seedbed::weights::pickle {

struct Node;
struct KnownGlobal;

struct None {};
/// UTF-8, or a Python 2 str of any bytes.
struct Text {
  std::string_view bytes;
};
struct Bytes {
  std::string_view bytes;
};
/// An integer past 64 bits, as it is written: two's complement from the low byte on, in protocols 0 and 1 decimal.
struct BigInteger {
  std::string_view written;
};
/// A list, tuple, set or array of objects.
struct Sequence {
  std::vector<Node*> items;
};
/// In order of insertion; of equal keys the last one counts.
struct Dictionary {
  std::vector<std::pair<Node*, Node*>> entries;
};
/// A class whose instances are nothing but attributes: of a TorchScript archive, or a plain namespace.
struct AttributeClass {
  std::string_view name;
};
/// An instance of such a class, and what its attributes were set from.
struct Object {
  std::string_view class_name;
  Node* state = nullptr;
};
/// "<f4" and the like; kind as in NumPy's type codes.
struct NumpyType {
  char kind = 'V';
  std::size_t element_bytes = 0;
  bool foreign_byte_order = false;
};
/// A NumPy array whose content has not come yet.
struct UnfinishedArray {};

using TensorPointer = std::shared_ptr<const TensorRecord>;

struct Node {
  std::variant<None, bool, std::int64_t, double, Text, Bytes, BigInteger, Sequence, Dictionary, Object, NumpyType,
               UnfinishedArray, at::ScalarType, StorageSpan, TensorPointer, const KnownGlobal*, AttributeClass>
      value;

  template <typename T>
  T* get() {
    return std::get_if<T>(&value);
  }
  template <typename T>
  const T* get() const {
    return std::get_if<T>(&value);
  }
};

/// Owns the nodes of one file's pickles, which may point at each other in any way, in circles too. Counts what is made,
/// since a few bytes of a pickle can ask for much.
///
/// Threads: [one-at-a-time].
class Tree {
 public:
  /// `source` holds the pickles; texts of nodes lie in it.
  Tree(ByteBlock source, std::string where);
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  const std::string& where() const { return where_; }
  const ByteBlock& source() const { return source_; }

  /// Throws: UserError where the tree grows absurdly large.
  template <typename T>
  Node* add(T value) {
    count_node();
    return &nodes_.emplace_back(Node{std::move(value)});
  }

  /// Keeps a text that is not in the source as it stands. Throws: UserError as add().
  std::string_view add_text(std::string text);

  /// Called where items are copied from one node to another. Throws: UserError as add().
  void count_copied(std::size_t items);

  /// The bytes as a block: on the source where they lie there, else a copy.
  ByteBlock block_of(std::string_view bytes) const;

 private:
  void count_node();

  ByteBlock source_;
  std::string where_;
  std::deque<Node> nodes_;
  std::deque<std::string> texts_;
  std::size_t text_bytes_ = 0;
  std::size_t copied_items_ = 0;
};

/// The text of a text or an integer (dictionaries are keyed by either), "" for anything else.
std::string key_text(const Node& key);

/// The content of text or bytes: Python 2 and old protocols write the one for the other.
std::optional<std::string_view> bytes_of(const Node& node);

/// What kind of thing a node is, in a word.
std::string_view kind_of(const Node& node);

}  // namespace seedbed::weights::pickle
