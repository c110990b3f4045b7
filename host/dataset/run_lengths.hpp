#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

// Masks as COCO's annotations hold them, and as its mask API turns outlines into them.
namespace seedbed::dataset {

/// Lengths of runs that are outside and inside an object by turns, the first one outside (0 where the first pixel is
/// inside). Pixels count from top to bottom, column after column: pixel (row y, column x) is x * height + y.
using RunLengths = std::vector<std::uint32_t>;

/// Outlines are rasterised on a grid this many times as fine as the pixels (cocoapi, rleFrPoly).
inline constexpr std::int32_t kFineSteps = 5;

/// Pixels; what annotations may hold, so that no number overflows on the fine grid.
inline constexpr double kLargestCoordinate = 1e6;

/// A coordinate in pixels on that grid: all that rasterising uses of it.
/// Requires: at most kLargestCoordinate on either side of 0.
std::int32_t fine_coordinate(double pixels);

/// The pixels inside a closed outline of points `fine_xy` (x, y, x, y, ... on the fine grid), equal to what cocoapi's
/// rleFrPoly gives: boundary pixels follow its rounding, what an outline encloses twice is outside, and parts beyond
/// the image are cut. Fewer than three points enclose nothing.
/// Requires: an even number of coordinates, height and width of at least 1, fewer than 2^31 pixels.
RunLengths runs_inside(std::span<const std::int32_t> fine_xy, std::int64_t height_px, std::int64_t width_px);

/// The runs of a compressed text: five bits a character, least first, from the fourth run on the difference to the run
/// two before (cocoapi, rleFrString).
/// Throws: UserError (its `where` is empty: the caller knows the file) for another text or a run below 0.
RunLengths runs_from_text(std::string_view text);

/// How many pixels the runs cover, inside and outside.
std::int64_t num_pixels(const RunLengths& runs);

/// Calls `paint(begin, end)` for each run inside, as positions in columns.
template <typename Paint>
void for_each_run_inside(const RunLengths& runs, const Paint& paint) {
  std::int64_t position = 0;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const std::int64_t end = position + runs[i];
    if (i % 2 == 1 && end > position) paint(position, end);
    position = end;
  }
}

}  // namespace seedbed::dataset
