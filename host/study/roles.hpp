#pragma once

#include <string>
#include <vector>

#include "dataset/dataset.hpp"
#include "study/findings.hpp"

namespace seedbed::study {

/// The roles that a study may name. Where the data set could not be opened every name passes: one error is enough.
class Roles {
 public:
  Roles(const dataset::Dataset* data, Findings& findings) : data_(data), findings_(findings) {}

  bool has(const std::string& name) const;

  /// Whether the role is there; if not, that is found wrong at `place`, with the nearest name.
  bool require(const std::string& name, const Place& place) const;

  /// The same for a role whose masks are opened; `purpose` ends the sentence: "scoring needs".
  bool require_masks(const std::string& name, const Place& place, const std::string& purpose) const;

  /// Whether the data set has the side input; if not, that is found wrong at `place`, with the nearest name.
  bool require_side(const std::string& name, const Place& place) const;

  /// Those of `names` that are there and have masks.
  std::vector<std::string> with_masks(const std::vector<std::string>& names) const;

  bool are_known() const { return data_ != nullptr; }

 private:
  const dataset::Role* find(const std::string& name) const;

  const dataset::Dataset* data_;
  Findings& findings_;
};

}  // namespace seedbed::study
