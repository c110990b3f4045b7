#include "weights/pickle_tree.hpp"

#include <array>
#include <cstring>
#include <utility>

#include "weights/refusal.hpp"

namespace seedbed::weights::pickle {
namespace {

// The largest files in use (optimiser states, a data set's cues) come to less than a million nodes.
constexpr std::size_t kMostNodes = std::size_t{8} << 20;

}  // namespace

Tree::Tree(ByteBlock source, std::string where) : source_(std::move(source)), where_(std::move(where)) {}

void Tree::count_node() {
  if (nodes_.size() >= kMostNodes) refuse(where_, "The pickle holds too many objects.");
}

std::string_view Tree::add_text(std::string text) {
  // A text is made from one that stands in the source; only a hostile pickle makes the same one again and again.
  constexpr std::size_t kSmall = std::size_t{1} << 20;
  text_bytes_ += text.size();
  if (text_bytes_ > 2 * source_.size() + kSmall) refuse(where_, "The pickle grows absurdly large.");
  return texts_.emplace_back(std::move(text));
}

void Tree::count_copied(std::size_t items) {
  // Likewise: an item takes a byte at least, and is copied once.
  copied_items_ += items;
  if (copied_items_ > source_.size()) refuse(where_, "The pickle grows absurdly large.");
}

ByteBlock Tree::block_of(std::string_view bytes) const {
  const std::string_view all = source_.text();
  if (bytes.data() >= all.data() && bytes.data() + bytes.size() <= all.data() + all.size()) {
    return source_.part(static_cast<std::size_t>(bytes.data() - all.data()), bytes.size());
  }
  ByteBlock copy = ByteBlock::allocate(bytes.size());
  if (!bytes.empty()) std::memcpy(copy.data(), bytes.data(), bytes.size());
  return copy;
}

std::string key_text(const Node& key) {
  if (const auto* text = key.get<Text>()) return std::string(text->bytes);
  if (const auto* number = key.get<std::int64_t>()) return std::to_string(*number);
  return {};
}

std::optional<std::string_view> bytes_of(const Node& node) {
  if (const auto* text = node.get<Text>()) return text->bytes;
  if (const auto* bytes = node.get<Bytes>()) return bytes->bytes;
  return std::nullopt;
}

std::string_view kind_of(const Node& node) {
  constexpr std::array<std::string_view, std::variant_size_v<decltype(Node::value)>> kNames{
      "nothing", "bool",  "integer", "number", "text",    "bytes",  "integer", "list", "dict",
      "object",  "dtype", "array",   "dtype",  "storage", "tensor", "class",   "class"};
  return kNames[node.value.index()];
}

}  // namespace seedbed::weights::pickle
