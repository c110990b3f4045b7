#include "weights/tensor_sets.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "seedbed/error.hpp"
#include "weights/pickle_text.hpp"
#include "weights/refusal.hpp"

namespace seedbed::weights {
namespace {

using pickle::Node;

constexpr int kDeepest = 64;
constexpr std::size_t kMostVisits = std::size_t{1} << 20;
constexpr std::size_t kLongestName = 2048;
constexpr std::size_t kMostNameBytes = std::size_t{64} << 20;

// Under these names training code keeps a model's weights, the likeliest first.
constexpr std::array<std::string_view, 16> kWeightNames{
    "state_dict",     "model_state_dict", "model",     "net",       "network",   "module",
    "weights",        "params",           "teacher",   "student",   "model_ema", "ema",
    "ema_state_dict", "state_dict_ema",   "ema_model", "params_ema"};
// And under these what is no model.
constexpr std::array<std::string_view, 6> kTrainingNames{
    "optimizer", "optimizer_state_dict", "scheduler", "lr_scheduler", "scaler", "amp"};

// What is inside: of a dictionary its entries, of an object its attributes.
const pickle::Dictionary* entries_of(const Node& node) {
  const auto* object = node.get<pickle::Object>();
  if (!object) return node.get<pickle::Dictionary>();
  return object->state ? object->state->get<pickle::Dictionary>() : nullptr;
}

// Of equal names the last one counts, as in a dictionary.
void drop_repeated(TensorSet& set) {
  std::set<std::string_view> seen;
  std::vector<bool> kept(set.tensors.size());
  for (std::size_t i = set.tensors.size(); i-- > 0;) kept[i] = seen.insert(set.tensors[i].first).second;
  if (seen.size() == set.tensors.size()) return;
  TensorSet unique{set.name, {}};
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (kept[i]) unique.tensors.push_back(set.tensors[i]);
  }
  set = std::move(unique);
}

class Search {
 public:
  explicit Search(std::string_view where) : where_(where) {}

  FoundTensors run(const Node& root) {
    const auto* sequence = root.get<pickle::Sequence>();
    // numpy.save makes an array of one object of a dictionary.
    if (sequence && sequence->items.size() == 1) return run_below(*sequence->items.front());
    if (!sequence) return run_below(root);
    TensorSet set;
    for (std::size_t i = 0; i < sequence->items.size(); ++i) {
      if (const auto* tensor = sequence->items[i]->get<pickle::TensorPointer>()) {
        set.tensors.emplace_back(std::to_string(i), *tensor);
      }
    }
    add(std::move(set));
    return std::move(found_);
  }

 private:
  FoundTensors run_below(const Node& node) {
    if (const auto* tensor = node.get<pickle::TensorPointer>()) add({"", {{"tensor", *tensor}}});
    if (const auto* object = node.get<pickle::Object>(); object && entries_of(node)) {
      TensorSet set;
      collect_module(*entries_of(node), "", set, 0);
      add(std::move(set));
    } else {
      collect_dictionary(node, "", 0);
    }
    return std::move(found_);
  }

  void add(TensorSet set) {
    drop_repeated(set);
    if (!set.tensors.empty()) found_.sets.push_back(std::move(set));
  }

  void count_visit(int depth) {
    if (depth > kDeepest || ++visits_ > kMostVisits) refuse_nesting();
  }

  [[noreturn]] void refuse_nesting() const { refuse(where_, "The file's content is nested absurdly."); }

  // The name of what lies under `key` below `parent`.
  std::string name_below(const std::string& parent, const Node& key) {
    const std::string own = pickle::key_text(key);
    if (!pickle::is_utf8(own)) refuse(where_, "The file holds a name that is no text: " + in_backticks(own) + ".");
    std::string name = parent.empty() ? own : parent + "." + own;
    if (name.size() > kLongestName) refuse(where_, "The file holds an absurdly long name: " + in_backticks(name) + ".");
    name_bytes_ += name.size();
    if (name_bytes_ > kMostNameBytes) refuse_nesting();
    return name;
  }

  // The set that a dictionary is, and the sets below it.
  void collect_dictionary(const Node& node, const std::string& name, int depth) {
    count_visit(depth);
    const auto* dictionary = entries_of(node);
    if (!dictionary) return;
    TensorSet set{name, {}};
    for (const auto& [key, value] : dictionary->entries) {
      if (const auto* tensor = value->get<pickle::TensorPointer>()) {
        set.tensors.emplace_back(name_below("", *key), *tensor);
        continue;
      }
      const std::size_t sets_before = found_.sets.size();
      const std::string below = name_below(name, *key);
      collect_dictionary(*value, below, depth + 1);
      if (depth == 0 && found_.sets.size() == sets_before) found_.other_entries.push_back(below);
    }
    add(std::move(set));
  }

  // A TorchScript module: its tensors are attributes, the modules below it are objects.
  void collect_module(const pickle::Dictionary& attributes, const std::string& prefix, TensorSet& set, int depth) {
    count_visit(depth);
    for (const auto& [key, value] : attributes.entries) {
      const std::string name = name_below(prefix, *key);
      if (const auto* tensor = value->get<pickle::TensorPointer>()) set.tensors.emplace_back(name, *tensor);
      if (value->get<pickle::Object>() && entries_of(*value)) collect_module(*entries_of(*value), name, set, depth + 1);
    }
  }

  std::string_view where_;
  std::size_t visits_ = 0;
  std::size_t name_bytes_ = 0;
  FoundTensors found_;
};

template <std::size_t N>
std::size_t rank_in(const std::array<std::string_view, N>& names, std::string_view name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

// Smaller is likelier; told from the first part of the set's name.
std::size_t rank_of(const TensorSet& set) {
  const std::string_view name = set.name;
  const std::string_view first = name.substr(0, name.find('.'));
  if (rank_in(kTrainingNames, first) < kTrainingNames.size()) return 2 * kWeightNames.size();
  return name.empty() ? 0 : 1 + rank_in(kWeightNames, first);
}

std::string listed(const std::vector<TensorSet>& sets) {
  constexpr std::size_t kListed = 12;
  std::string text;
  for (std::size_t i = 0; i < std::min(sets.size(), kListed); ++i)
    text += (i == 0 ? "" : ", ") + in_backticks(sets[i].name);
  return sets.size() > kListed ? text + " and " + std::to_string(sets.size() - kListed) + " more" : text;
}

}  // namespace

FoundTensors find_tensors(const Node& root, std::string_view where) { return Search(where).run(root); }

const TensorSet& choose_set(const FoundTensors& found, std::string_view wanted, std::string_view where) {
  const std::vector<TensorSet>& sets = found.sets;
  if (sets.empty()) refuse(where, "The file holds no tensors.");
  if (!wanted.empty()) {
    const auto named = std::find_if(sets.begin(), sets.end(), [&](const TensorSet& set) { return set.name == wanted; });
    if (named != sets.end()) return *named;
    refuse(where, "The file holds no set of tensors of this name: " + in_backticks(wanted) + ".",
           "it holds " + listed(sets));
  }
  std::size_t best = rank_of(sets.front());
  for (const TensorSet& set : sets) best = std::min(best, rank_of(set));
  const TensorSet* chosen = nullptr;
  for (const TensorSet& set : sets) {
    if (rank_of(set) != best) continue;
    if (chosen) {
      refuse(where, "The file holds several sets of tensors, and none is plainly a model's: " + listed(sets) + ".",
             "`seedbed weights convert --of NAME` takes one of them out");
    }
    chosen = &set;
  }
  return *chosen;
}

std::string take_off_wrappers(TensorSet& set) {
  constexpr std::array<std::string_view, 2> kWrappers{"module.", "_orig_mod."};
  std::string taken;
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view wrapper : kWrappers) {
      auto& tensors = set.tensors;
      const bool all = std::all_of(tensors.begin(), tensors.end(), [&](const auto& entry) {
        return entry.first.starts_with(wrapper) && entry.first.size() > wrapper.size();
      });
      if (!all || tensors.empty()) continue;
      for (auto& entry : tensors) entry.first.erase(0, wrapper.size());
      taken += wrapper;
      again = true;
    }
  }
  return taken;
}

}  // namespace seedbed::weights
