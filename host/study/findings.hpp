#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "seedbed/error.hpp"
#include "study/node.hpp"

namespace seedbed::study {

/// Everything wrong with a study. The same mistake seen from several cells is told once, with the cells it is in.
class Findings {
 public:
  void add(const Place& place, std::string what, std::string hint = {});

  /// The errors that another room found in a value written at `place`; an error with a place of its own keeps it.
  void add(const Place& place, const UserError& error);

  /// What is added from here on belongs to one cell of the grid.
  void enter_cell(std::string levels);
  void leave_cells() { cell_.clear(); }

  /// How often something was added, repeated mistakes included: tells whether a step found anything wrong.
  std::size_t num_added() const { return num_added_; }

  /// Throws: UserErrors in the order of the places, if anything was added.
  void throw_if_any() const;

 private:
  struct Cells {
    std::size_t count = 0;
    std::string first;  ///< "" for what is wrong whatever the cell
    std::string last;
  };
  using Key = std::tuple<Place, std::string, std::string, std::string>;  ///< place, own place, what, hint

  void add(Key key);

  std::map<Key, Cells> found_;
  std::string cell_;
  std::size_t num_cells_ = 0;
  std::size_t num_added_ = 0;
};

/// Names of things that have one, for hints.
template <typename Named>
std::vector<std::string> names_of(const std::vector<Named>& all) {
  std::vector<std::string> names;
  names.reserve(all.size());
  for (const Named& each : all) names.push_back(each.name);
  return names;
}

/// "`a`, `b`".
std::string listed(const std::vector<std::string>& names);

/// "nearest: `a`; accepted: `a`, `b`".
std::string hint_for(std::string_view wrong, const std::vector<std::string>& legal);

}  // namespace seedbed::study
