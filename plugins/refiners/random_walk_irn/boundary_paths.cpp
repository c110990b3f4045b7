#include "boundary_paths.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

namespace seedbed::random_walk_irn {
namespace {

using kernels::CellOffset;

// dy and dx of the line, y and x of the cell: |dy x - dx y| / length is the distance from the line.
bool is_near_line(const CellOffset& end, std::int64_t y, std::int64_t x) {
  const std::int64_t cross = end.dy * x - end.dx * y;
  return cross * cross < end.dy * end.dy + end.dx * end.dx;
}

BoundaryPath path_to(const CellOffset& end) {
  BoundaryPath path{end, {}};
  for (std::int64_t y = 0; y <= end.dy; ++y) {
    for (std::int64_t x = std::min<std::int64_t>(0, end.dx); x <= std::max<std::int64_t>(0, end.dx); ++x) {
      if (is_near_line(end, y, x)) path.cells.push_back({y, x});
    }
  }
  std::ranges::stable_sort(path.cells, std::greater<>(),
                           [](const CellOffset& cell) { return cell.dy + std::abs(cell.dx); });
  return path;
}

/// One row of sources: where each path's highest cell lies in the map.
void highest_of_row(const float* map, std::int64_t width, std::int64_t y, std::int64_t first, std::int64_t count,
                    const BoundaryPath& path, float* highest, std::int64_t* places) {
  for (std::size_t i = 0; i < path.cells.size(); ++i) {
    const std::int64_t start = (y + path.cells[i].dy) * width + first + path.cells[i].dx;
    for (std::int64_t x = 0; x < count; ++x) {
      const float value = map[start + x];
      if (i == 0 || value > highest[x]) {
        highest[x] = value;
        places[x] = start + x;
      }
    }
  }
}

/// Places in each map [h w] of the highest cells, [N,O,rows,columns] int64; -1 where a path leaves the map.
at::Tensor highest_places(const at::Tensor& boundary_nhw, const std::vector<BoundaryPath>& paths,
                          const kernels::SourceCells& sources) {
  const c10::NoGradGuard no_grad;
  const at::Tensor maps = boundary_nhw.detach().to(at::kCPU, at::kFloat).contiguous();
  const std::int64_t height = maps.size(1), width = maps.size(2), num_paths = static_cast<std::int64_t>(paths.size());
  at::Tensor places = at::full({maps.size(0), num_paths, sources.rows, sources.columns}, -1, at::kLong);
  const float* values = maps.const_data_ptr<float>();
  std::int64_t* found = places.mutable_data_ptr<std::int64_t>();
  at::parallel_for(0, maps.size(0) * num_paths, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> highest(static_cast<std::size_t>(width));
    for (std::int64_t i = begin; i < end; ++i) {
      const BoundaryPath& path = paths[static_cast<std::size_t>(i % num_paths)];
      const std::int64_t first = std::max(sources.left, -path.offset.dx);
      const std::int64_t last = std::min(sources.left + sources.columns, width - path.offset.dx);
      const std::int64_t rows = std::min(sources.rows, height - path.offset.dy);
      for (std::int64_t y = 0; y < rows && first < last; ++y) {
        highest_of_row(values + i / num_paths * height * width, width, y, first, last - first, path, highest.data(),
                       found + (i * sources.rows + y) * sources.columns + first - sources.left);
      }
    }
  });
  return places.to(boundary_nhw.device());
}

}  // namespace

std::vector<BoundaryPath> boundary_paths(std::int64_t radius) {
  std::vector<BoundaryPath> paths;
  for (const CellOffset& offset : kernels::half_disc(radius)) paths.push_back(path_to(offset));
  std::ranges::stable_sort(paths, std::less<>(), [](const BoundaryPath& path) { return path.cells.size(); });
  return paths;
}

std::vector<CellOffset> offsets_of(const std::vector<BoundaryPath>& paths) {
  std::vector<CellOffset> offsets;
  for (const BoundaryPath& path : paths) offsets.push_back(path.offset);
  return offsets;
}

at::Tensor affinities_between(const at::Tensor& boundary_hw, const std::vector<BoundaryPath>& paths) {
  const c10::NoGradGuard no_grad;
  const kernels::SourceCells all{boundary_hw.size(0), 0, boundary_hw.size(1)};
  const at::Tensor places = highest_places(boundary_hw.unsqueeze(0), paths, all)[0];
  const at::Tensor highest = boundary_hw.flatten().take(places.clamp_min(0));
  return (1 - highest).masked_fill_(places.lt(0), 0);
}

at::Tensor affinities_at_sources(const at::Tensor& boundary_nhw, const std::vector<BoundaryPath>& paths,
                                 const kernels::SourceCells& sources) {
  const at::Tensor places = highest_places(boundary_nhw, paths, sources).flatten(2);  // [N,O,S]
  return 1 - boundary_nhw.flatten(1).gather(1, places.flatten(1)).view(places.sizes());
}

}  // namespace seedbed::random_walk_irn
