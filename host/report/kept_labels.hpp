#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/store.hpp"

namespace seedbed::report {

/// A stage of a study whose labels lie on the disk.
struct KeptLabels {
  std::string key;
  std::string node;              ///< "pseudo_labels", a refiner's name ...
  std::string role;              ///< whose images it holds
  std::string levels;            ///< of one cell that rests on it
  std::int64_t random_seed = 0;  ///< of that cell
  std::int64_t num_cells = 0;
  std::int64_t num_images = 0;
};

struct LabelChoice {
  std::string study;  ///< "" = the one run last
  std::string node;   ///< "" = any
  std::string role;   ///< "" = any
  std::string key;    ///< its first digits; "" = any
};

/// Label artefacts that the choice fits, in the order of their stages.
/// Throws: UserError for a study that is not there, with the nearest name.
std::vector<KeptLabels> kept_labels(const store::Store& store, const LabelChoice& choice);

/// The only one that fits. Throws: UserError where there is none, or several (which are named).
KeptLabels only_kept_labels(const store::Store& store, const LabelChoice& choice);

}  // namespace seedbed::report
