#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "weights/bounded_reader.hpp"
#include "weights/pickle_globals.hpp"
#include "weights/pickle_tree.hpp"

namespace seedbed::weights::pickle {

/// Gives the storage that a persistent id of a PyTorch file means.
using FindStorage = std::function<StorageSpan(const StorageReference&)>;

/// Reads pickles of protocols 0 to 5 into a tree, without running anything: names of Python code are looked up in
/// closed tables (pickle_globals.hpp), and everything else is data.
///
/// Cost: no recursion, time and memory linear in the source.
class Unpickler {
 public:
  /// Reads from the tree's source at `position`. Without `find_storage` a persistent id is refused.
  Unpickler(Tree& tree, std::size_t position = 0, FindStorage find_storage = {});

  /// The next pickle. Throws: UserError for damaged input and for anything that is not read.
  Node* read();

  /// Behind the last pickle read.
  std::size_t position() const { return reader_.position(); }

 private:
  // Each takes the opcodes of one family and says whether `opcode` is of it.
  bool push_number(char opcode);
  bool push_text(char opcode);
  bool push_bytes(char opcode);
  bool make_container(char opcode);
  bool add_to_container(char opcode);
  bool use_memo(char opcode);
  bool use_stack(char opcode);
  bool construct_object(char opcode);
  bool skip_framing(char opcode);

  void push_line_number(char opcode);
  void push_long(std::uint64_t num_bytes);
  void push_storage(const Node& id);
  void push_global_from_stack();
  void construct_with_names();
  void construct_from_marked(char opcode);
  void add_items(const std::vector<Node*>& items);
  void add_pairs(const std::vector<Node*>& items);
  void remember(std::uint64_t index);
  void recall(std::uint64_t index);

  template <typename T>
  void push(T value) {
    push_node(tree_.add(std::move(value)));
  }
  void push_node(Node* node);
  Node& top();
  Node* pop();
  std::vector<Node*> pop_last(std::size_t count);
  std::vector<Node*> pop_to_mark();
  std::size_t stack_floor() const;  // where the innermost mark stands
  [[noreturn]] void refuse_damaged(std::string_view what) const;

  Tree& tree_;
  BoundedReader reader_;
  FindStorage find_storage_;
  std::vector<Node*> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, Node*> memo_;
};

}  // namespace seedbed::weights::pickle
