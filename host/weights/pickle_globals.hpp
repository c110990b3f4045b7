#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weights/pickle_tree.hpp"

namespace seedbed::weights::pickle {

/// The arguments of one call that a pickle asks for, each checked when it is taken.
class Arguments {
 public:
  /// Throws: UserError where `tuple` is no sequence.
  Arguments(std::string_view function, const Node& tuple, std::string_view where);

  /// Each of these throws UserError where the argument is missing or of another kind.
  Node& node(std::size_t index) const;
  std::int64_t integer(std::size_t index) const;
  std::vector<std::int64_t> integers(std::size_t index) const;
  std::string_view bytes(std::size_t index) const;
  bool flag(std::size_t index) const;
  template <typename T>
  T& of(std::size_t index) const {
    T* value = node(index).get<T>();
    if (!value) refuse_argument(index);
    return *value;
  }

  std::size_t size() const { return items_.size(); }
  const std::vector<Node*>& items() const { return items_; }
  std::string_view where() const { return where_; }
  [[noreturn]] void refuse_argument(std::size_t index) const;

 private:
  std::string_view function_;
  std::string_view where_;
  const std::vector<Node*>& items_;
};

/// A Python name that a pickle may use, and what stands for it here: a constructor of ours, a type, or the reason why
/// what it makes is not read.
struct KnownGlobal {
  std::string_view module;
  std::string_view name;
  Node* (*construct)(Tree&, const Arguments&) = nullptr;
  std::optional<at::ScalarType> element_type = {};  ///< of a storage class
  std::string_view refusal = {};
};

/// The node that stands for a Python name. Throws: UserError naming it, where it is not known.
Node* find_global(Tree& tree, std::string_view module, std::string_view name);

/// What calling `callable` (or instantiating it) makes. Throws: UserError.
Node* construct(Tree& tree, const Node& callable, Node& arguments);

/// Gives an object that was just made its content: array, data type, attributes. Throws: UserError.
void set_state(Tree& tree, Node& object, Node& state);

// The tables, one a family.
std::span<const KnownGlobal> container_globals();
std::span<const KnownGlobal> numpy_globals();
std::span<const KnownGlobal> torch_globals();

/// torch.float32 and its kin by name.
std::optional<at::ScalarType> torch_type(std::string_view name);

// Parts of set_state.
void finish_array(Tree& tree, Node& array, Node& state);
void finish_numpy_type(Tree& tree, NumpyType& type, Node& state);

/// What a persistent id of a PyTorch file says of a storage.
struct StorageReference {
  at::ScalarType type = at::ScalarType::Byte;
  std::string key;
  std::int64_t num_elements = 0;
  std::uint64_t num_bytes = 0;
  std::int64_t view_offset = 0;  ///< old files: a storage may be a part of another
  std::int64_t view_elements = 0;
};

/// Throws: UserError where it is anything else.
StorageReference storage_reference(const Node& persistent_id, std::string_view where);

}  // namespace seedbed::weights::pickle
