#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weights/pickle_tree.hpp"

namespace seedbed::weights {

/// Tensors that a file keeps together under one name: a state_dict, its EMA copy, an optimiser's memory.
struct TensorSet {
  std::string name;  ///< where it lies: "state_dict", "ema.module"; "" = the file itself
  std::vector<std::pair<std::string, pickle::TensorPointer>> tensors;
};

struct FoundTensors {
  std::vector<TensorSet> sets;             ///< in the order of the file
  std::vector<std::string> other_entries;  ///< of the file itself or beside the sets: "epoch", "args"
};

/// Every set of tensors in an object. A dictionary that holds tensors itself is one set; a TorchScript module is one
/// with all its modules below. Throws: UserError where it is nested absurdly or a name is no text.
FoundTensors find_tensors(const pickle::Node& root, std::string_view where);

/// The set to use: the one called `wanted`; where that is empty, the only one, or the first of the names that training
/// code gives to a model's weights (plain ones before EMA copies).
/// Throws: UserError listing the sets, where none fits.
const TensorSet& choose_set(const FoundTensors& found, std::string_view wanted, std::string_view where);

/// Takes "module." (DataParallel) and "_orig_mod." (torch.compile) off, as long as every name begins with it.
/// Returns: what was taken off.
std::string take_off_wrappers(TensorSet& set);

}  // namespace seedbed::weights
