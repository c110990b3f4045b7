#include "dataset/run_lengths.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "seedbed/error.hpp"

namespace seedbed::dataset {
namespace {

struct FinePoint {
  std::int32_t x = 0;
  std::int32_t y = 0;
};

// Visits the points of one edge, from first to last, one for each step along its longer side. Rounding goes from the
// lower end whichever way the edge runs, so that an edge shared by two objects has the same points in both.
template <typename Visit>
void visit_edge(FinePoint from, FinePoint to, const Visit& visit) {
  const std::int32_t across = std::abs(to.x - from.x), down = std::abs(to.y - from.y);
  const bool along_x = across >= down;
  const std::int32_t length = along_x ? across : down;
  const bool reversed = along_x ? from.x > to.x : from.y > to.y;
  if (reversed) std::swap(from, to);
  const double slope = length == 0 ? 0.0 : static_cast<double>(along_x ? to.y - from.y : to.x - from.x) / length;
  for (std::int32_t step = 0; step <= length; ++step) {
    const std::int32_t t = reversed ? length - step : step;
    const double other = (along_x ? from.y : from.x) + slope * t + 0.5;
    const auto rounded = static_cast<std::int32_t>(other);  // towards zero, beyond the image's left and upper edge too
    visit(along_x ? FinePoint{from.x + t, rounded} : FinePoint{rounded, from.y + t});
  }
}

// Where a step of the boundary from `before` to `after` crosses the middle of a column of pixels: the position, in
// columns, of the first pixel below it.
std::optional<std::int64_t> crossing(FinePoint before, FinePoint after, std::int64_t height_px, std::int64_t width_px) {
  if (after.x == before.x) return std::nullopt;
  const auto to_pixels = [](std::int32_t fine) { return (fine + 0.5) / kFineSteps - 0.5; };
  const double x = to_pixels(after.x < before.x ? after.x : after.x - 1);
  if (std::floor(x) != x || x < 0 || x > static_cast<double>(width_px - 1)) return std::nullopt;
  const double y = std::ceil(std::clamp(to_pixels(std::min(before.y, after.y)), 0.0, static_cast<double>(height_px)));
  return static_cast<std::int64_t>(x) * height_px + static_cast<std::int64_t>(y);
}

// Each position turns outside into inside and back; two at the same place undo each other.
RunLengths runs_between(std::vector<std::int64_t> positions, std::int64_t num_pixels) {
  std::ranges::sort(positions);
  std::vector<std::int64_t> turns;
  for (const std::int64_t position : positions) {
    if (!turns.empty() && turns.back() == position) {
      turns.pop_back();
    } else {
      turns.push_back(position);
    }
  }
  if (!turns.empty() && turns.back() == num_pixels) turns.pop_back();  // the lower right corner: nothing follows it
  RunLengths runs;
  std::int64_t last = 0;
  for (const std::int64_t turn : turns) {
    runs.push_back(static_cast<std::uint32_t>(turn - last));
    last = turn;
  }
  runs.push_back(static_cast<std::uint32_t>(num_pixels - last));
  return runs;
}

constexpr const char* kTextHint = "Compressed run lengths are the text that COCO's mask API writes.";

// One number of the text, which is cut by it.
std::int64_t next_number(std::string_view& text) {
  constexpr int bits = 5, longest = 12;
  std::int64_t number = 0;
  for (int i = 0; i < longest && !text.empty(); ++i) {
    const int code = text.front() - '0';
    if (code < 0 || code > 63) break;
    text.remove_prefix(1);
    number |= static_cast<std::int64_t>(code & 31) << (bits * i);
    const bool goes_on = (code & 32) != 0, negative = (code & 16) != 0;
    if (goes_on) continue;
    return negative ? number - (std::int64_t{1} << (bits * (i + 1))) : number;
  }
  throw UserError("", "Compressed run lengths are damaged: `" + std::string(text.substr(0, 16)) + "`.", kTextHint);
}

}  // namespace

std::int32_t fine_coordinate(double pixels) { return static_cast<std::int32_t>(kFineSteps * pixels + 0.5); }

RunLengths runs_inside(std::span<const std::int32_t> fine_xy, std::int64_t height_px, std::int64_t width_px) {
  std::vector<std::int64_t> positions;
  const std::size_t corners = fine_xy.size() / 2;
  if (corners < 3) return runs_between({}, height_px * width_px);
  const auto corner = [&](std::size_t i) {
    return FinePoint{fine_xy[2 * (i % corners)], fine_xy[2 * (i % corners) + 1]};
  };
  FinePoint before = corner(0);
  for (std::size_t i = 0; i < corners; ++i)
    visit_edge(corner(i), corner(i + 1), [&](FinePoint point) {
      if (const auto position = crossing(before, point, height_px, width_px)) positions.push_back(*position);
      before = point;
    });
  return runs_between(std::move(positions), height_px * width_px);
}

RunLengths runs_from_text(std::string_view text) {
  RunLengths runs;
  while (!text.empty()) {
    const std::int64_t number = next_number(text);
    const std::int64_t run = runs.size() > 2 ? number + runs[runs.size() - 2] : number;
    if (run < 0 || run > UINT32_MAX)
      throw UserError("", "Compressed run lengths hold an impossible run: `" + std::to_string(run) + "`.", kTextHint);
    runs.push_back(static_cast<std::uint32_t>(run));
  }
  return runs;
}

std::int64_t num_pixels(const RunLengths& runs) { return std::accumulate(runs.begin(), runs.end(), std::int64_t{0}); }

}  // namespace seedbed::dataset
