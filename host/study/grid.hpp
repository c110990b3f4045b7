#pragma once

#include <string>
#include <utility>
#include <vector>

#include "study/findings.hpp"
#include "study/node.hpp"
#include "study/study.hpp"

namespace seedbed::study {

using Levels = std::vector<std::pair<std::string, std::string>>;  ///< axis -> label

/// One point of the grid: where it stands, and what it sets.
struct Point {
  Levels levels;
  Table settings;
};

struct Grid {
  std::vector<std::string> axes;  ///< of all blocks, in order of appearance
  std::vector<Point> points;
  std::vector<Exclusion> exclusions;
};

/// The points of `[[grid]]` blocks, one after the other; a single point without levels where there is none.
/// An axis that is wrong is found so and left out.
Grid expand_grid(const Node* blocks, Findings& findings);

/// "method = DRS, delta = 0.35".
std::string in_words(const Levels& levels);

}  // namespace seedbed::study
