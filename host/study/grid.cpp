#include "study/grid.hpp"

#include <algorithm>
#include <utility>

#include "study/compose.hpp"
#include "study/grid_axis.hpp"
#include "study/host_tables.hpp"

namespace seedbed::study {
namespace {

// A product of a few forgotten axes; a study of that size is split.
constexpr std::size_t kMaximumPoints = 20'000;

struct Exclude {
  Condition when;
  std::string reason;
  std::size_t num_points = 0;
};

struct Block {
  std::vector<Axis> axes;
  std::vector<Exclude> excludes;
  Place place;
};

std::optional<Exclude> read_exclude(const Node& node, const std::vector<Axis>& axes, Findings& findings) {
  TableReader reader(*node.table(), node.place, "grid.exclude", findings);
  const auto reason = reader.value(host_table("exclude").keys.front());
  const Node* when = reader.table("when");
  reader.finish();
  if (!reader.has("reason") || (reason && std::get<std::string>(*reason).empty())) {
    findings.add(node.place, "an exclusion gives no reason", "accepted: `reason = \"...\"`, shown by `seedbed plan`");
  }
  if (!when || when->table()->empty()) {
    if (when || !reader.has("when")) {
      findings.add(node.place, "an exclusion says nothing of when", "accepted: `when = { AXIS = LABEL }`");
    }
    return std::nullopt;
  }
  auto condition = read_condition(*when, axes, findings);
  if (!condition) return std::nullopt;
  return Exclude{std::move(*condition), reason ? std::get<std::string>(*reason) : ""};
}

Block read_block(const Node& node, Findings& findings) {
  Block block{{}, {}, node.place};
  const std::size_t before = findings.num_added();
  TableReader reader(*node.table(), node.place, "grid", findings);
  if (const Array* axes = reader.tables("axis")) {
    for (const Node& each : *axes) {
      if (auto axis = read_axis(each, block.axes, findings)) block.axes.push_back(std::move(*axis));
    }
  }
  // What an exclusion says of an axis that is wrong itself is no second mistake.
  const bool axes_are_whole = findings.num_added() == before;
  if (!reader.has("axis")) findings.add(node.place, "a block of the grid has no axis", "accepted: `[[grid.axis]]`");
  if (const Array* excludes = reader.tables("exclude"); excludes && axes_are_whole) {
    for (const Node& each : *excludes) {
      if (auto exclude = read_exclude(each, block.axes, findings)) block.excludes.push_back(std::move(*exclude));
    }
  }
  reader.finish();
  return block;
}

// Walks the product of a block's axes, later axes fastest.
class Expansion {
 public:
  Expansion(Block& block, Grid& grid, Findings& findings) : block_(block), grid_(grid), findings_(findings) {}

  void expand() {
    const std::size_t points_before = grid_.points.size(), exclusions_before = grid_.exclusions.size();
    expand_from(0, {});
    if (is_too_large_) {
      grid_.points.resize(points_before);
      grid_.exclusions.resize(exclusions_before);
      findings_.add(block_.place, "the grid has too many points",
                    "accepted: at most " + std::to_string(kMaximumPoints));
      return;
    }
    for (const Exclude& exclude : block_.excludes) {
      if (exclude.num_points > 0) continue;
      findings_.add(exclude.when.place, "an exclusion matches no point of its block",
                    "leave it out, or name labels that occur together");
    }
  }

 private:
  void expand_from(std::size_t index, Point point) {
    if (is_too_large_) return;
    if (index == block_.axes.size()) return add(std::move(point));
    const Axis& axis = block_.axes[index];
    if (axis.only && !axis.only->holds(point.levels)) return expand_from(index + 1, std::move(point));
    for (const Level& level : axis.levels) {
      Point next = point;
      next.levels.emplace_back(axis.name, level.label);
      overlay(next.settings, level.settings, findings_);
      expand_from(index + 1, std::move(next));
    }
  }

  void add(Point point) {
    is_too_large_ = is_too_large_ || ++num_points_ > kMaximumPoints;
    Exclude* first = nullptr;
    for (Exclude& exclude : block_.excludes) {
      if (!exclude.when.holds(point.levels)) continue;
      ++exclude.num_points;
      if (!first) first = &exclude;
    }
    if (first) {
      grid_.exclusions.push_back({std::move(point.levels), first->reason});
    } else {
      grid_.points.push_back(std::move(point));
    }
  }

  Block& block_;
  Grid& grid_;
  Findings& findings_;
  std::size_t num_points_ = 0;
  bool is_too_large_ = false;
};

}  // namespace

Grid expand_grid(const Node* blocks, Findings& findings) {
  Grid grid;
  if (!blocks || blocks->array()->empty()) {
    grid.points.push_back({});
    return grid;
  }
  for (const Node& each : *blocks->array()) {
    Block block = read_block(each, findings);
    for (const Axis& axis : block.axes) {
      if (std::ranges::find(grid.axes, axis.name) == grid.axes.end()) grid.axes.push_back(axis.name);
    }
    Expansion(block, grid, findings).expand();
  }
  const bool all_excluded = grid.points.empty() && !grid.exclusions.empty();
  if (all_excluded) findings.add(blocks->place, "the grid leaves no cell to run", "exclude less");
  return grid;
}

std::string in_words(const Levels& levels) {
  std::string text;
  for (const auto& [axis, label] : levels) {
    if (!text.empty()) text += ", ";
    text.append(axis).append(" = ").append(label);
  }
  return text;
}

}  // namespace seedbed::study
