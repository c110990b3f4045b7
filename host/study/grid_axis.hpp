#pragma once

#include <optional>
#include <string>
#include <vector>

#include "study/grid.hpp"
#include "study/table_reader.hpp"

namespace seedbed::study {

/// Labels by axis: all of them are to hold.
struct Condition {
  struct Part {
    std::string axis;
    std::vector<std::string> labels;  ///< any of these
  };
  std::vector<Part> parts;
  Place place;

  bool holds(const Levels& levels) const;
};

struct Level {
  std::string label;
  Table settings;
};

struct Axis {
  std::string name;
  std::vector<Level> levels;
  std::optional<Condition> only;
};

/// `earlier`: the axes that `only` may speak of. nullopt where the axis is wrong (which is found).
std::optional<Axis> read_axis(const Node& node, const std::vector<Axis>& earlier, Findings& findings);

/// Axes and labels of `node` ({ axis = label }), each of which must be among `axes`.
std::optional<Condition> read_condition(const Node& node, const std::vector<Axis>& axes, Findings& findings);

}  // namespace seedbed::study
