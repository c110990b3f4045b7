#include "weights/pickle_globals.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "weights/refusal.hpp"

namespace seedbed::weights::pickle {
namespace {

constexpr std::string_view kHowToMend =
    "accepted: tensors, NumPy arrays, containers, numbers and text; where you trust the file, load it in Python and "
    "save its state_dict alone";

// The same thing under an older name, or for storages that lay on a GPU.
std::string_view settled_module(std::string_view module, std::string_view name) {
  if (module == "__builtin__") return "builtins";
  if (module == "copy_reg") return "copyreg";
  if (module == "torch.cuda" && name.ends_with("Storage")) return "torch";
  return module;
}

const KnownGlobal* find_known(std::string_view module, std::string_view name) {
  for (const auto& table : {container_globals(), numpy_globals(), torch_globals()}) {
    const auto found = std::find_if(table.begin(), table.end(), [&](const KnownGlobal& known) {
      return known.module == module && known.name == name;
    });
    if (found != table.end()) return &*found;
  }
  return nullptr;
}

// Their instances are attributes and nothing else; a TorchScript archive's classes are code that is never run.
bool is_attribute_class(std::string_view module, std::string_view name) {
  return module == "__torch__" || module.starts_with("__torch__.") || (module == "argparse" && name == "Namespace") ||
         (module == "types" && name == "SimpleNamespace");
}

}  // namespace

Arguments::Arguments(std::string_view function, const Node& tuple, std::string_view where)
    : function_(function), where_(where), items_([&]() -> const std::vector<Node*>& {
        const auto* sequence = tuple.get<Sequence>();
        if (!sequence) refuse(where, "The pickle is damaged: a call has no arguments: " + in_backticks(function) + ".");
        return sequence->items;
      }()) {}

void Arguments::refuse_argument(std::size_t index) const {
  refuse(where_, "The pickle is damaged: argument `" + std::to_string(index) + "` of " + in_backticks(function_) +
                     " is missing or of another kind.");
}

Node& Arguments::node(std::size_t index) const {
  if (index >= items_.size()) refuse_argument(index);
  return *items_[index];
}

std::int64_t Arguments::integer(std::size_t index) const { return of<std::int64_t>(index); }

std::vector<std::int64_t> Arguments::integers(std::size_t index) const {
  std::vector<std::int64_t> numbers;
  for (const Node* item : of<Sequence>(index).items) {
    const auto* number = item->get<std::int64_t>();
    if (!number) refuse_argument(index);
    numbers.push_back(*number);
  }
  return numbers;
}

std::string_view Arguments::bytes(std::size_t index) const {
  const auto bytes = bytes_of(node(index));
  if (!bytes) refuse_argument(index);
  return *bytes;
}

bool Arguments::flag(std::size_t index) const {
  const Node& value = node(index);
  if (const bool* flag = value.get<bool>()) return *flag;
  return integer(index) != 0;
}

Node* find_global(Tree& tree, std::string_view module, std::string_view name) {
  if (const KnownGlobal* known = find_known(settled_module(module, name), name)) return tree.add(known);
  const std::string full_name = std::string(module) + "." + std::string(name);
  if (module == "torch") {
    if (const auto type = torch_type(name)) return tree.add(*type);
  }
  if (is_attribute_class(module, name)) return tree.add(AttributeClass{tree.add_text(full_name)});
  refuse(tree.where(), "The file asks for Python code, which is never run: " + in_backticks(full_name) + ".",
         std::string(kHowToMend));
}

Node* construct(Tree& tree, const Node& callable, Node& arguments) {
  if (const auto* attribute_class = callable.get<AttributeClass>()) return tree.add(Object{attribute_class->name});
  const auto* const* known = callable.get<const KnownGlobal*>();
  if (!known) {
    refuse(tree.where(),
           "The pickle is damaged: it calls something that cannot be called: " + in_backticks(kind_of(callable)) + ".");
  }
  const std::string full_name = std::string((*known)->module) + "." + std::string((*known)->name);
  if (!(*known)->refusal.empty()) {
    refuse(tree.where(), std::string((*known)->refusal) + " " + in_backticks(full_name) + ".", std::string(kHowToMend));
  }
  if (!(*known)->construct) {
    refuse(tree.where(), "The pickle makes something that is not read: " + in_backticks(full_name) + ".",
           std::string(kHowToMend));
  }
  return (*known)->construct(tree, Arguments(full_name, arguments, tree.where()));
}

void set_state(Tree& tree, Node& object, Node& state) {
  if (object.get<UnfinishedArray>()) return finish_array(tree, object, state);
  if (auto* type = object.get<NumpyType>()) return finish_numpy_type(tree, *type, state);
  if (auto* attributes = object.get<Object>()) {
    attributes->state = &state;
    return;
  }
  // Attributes of a dictionary (a state_dict's versions) or of a tensor say nothing about weights.
  if (object.get<Dictionary>() || object.get<TensorPointer>()) return;
  refuse(tree.where(), "The pickle is damaged: it sets attributes of something that has none: " +
                           in_backticks(kind_of(object)) + ".");
}

}  // namespace seedbed::weights::pickle
