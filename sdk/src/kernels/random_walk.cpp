#include "seedbed/kernels/random_walk.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"
#include "vector_lanes.hpp"

// A step is a stencil. Maps and powers of affinities lie in rows with zeros on both sides, and with rows of zeros above
// and below, so that a neighbour is a shifted pointer and no loop has a border case. The power of a pair is stored once,
// at the pair's upper cell, and read from both ends.
namespace seedbed::kernels {
namespace {

constexpr float kSmallestPower = 1e-12f;
constexpr int kPlanesAtOnce = 4;
constexpr std::int64_t kRowsAtLeast = 8;  // for a thread

/// Where things lie: `reach` rows of zeros, the map's rows, `reach` rows of zeros.
struct Layout {
  std::int64_t height, width;
  std::int64_t reach;   // of an offset, in rows and columns
  std::int64_t padded;  // width rounded up to whole vectors
  std::int64_t stride;  // floats in a row

  Layout(std::int64_t h, std::int64_t w, std::int64_t r)
      : height(h), width(w), reach(r), padded((w + kLanes - 1) / kLanes * kLanes), stride(padded + 2 * r) {}

  std::int64_t rows() const { return height + 2 * reach; }
};

/// One offset as a step of pointers.
struct Neighbour {
  std::int64_t map;    // floats from a cell to its neighbour in a map
  std::int64_t power;  // floats from a row's first power plane to this offset's
  std::int64_t back;   // floats from the power at a cell to that of the pair that ends there
};

std::vector<Neighbour> neighbours_of(const std::vector<CellOffset>& offsets, const Layout& layout) {
  const auto size = static_cast<std::int64_t>(offsets.size());
  std::vector<Neighbour> neighbours;
  for (std::int64_t o = 0; o < size; ++o) {
    const CellOffset& offset = offsets[static_cast<std::size_t>(o)];
    neighbours.push_back({offset.dy * layout.stride + offset.dx, o * layout.stride,
                          o * layout.stride - offset.dy * size * layout.stride - offset.dx});
  }
  return neighbours;
}

/// Maps with margins of zeros, [P, rows, stride].
at::Tensor with_margins(const at::Tensor& maps_phw, const Layout& layout) {
  at::Tensor result = at::zeros({maps_phw.size(0), layout.rows(), layout.stride}, at::kFloat);
  result.narrow(1, layout.reach, layout.height).narrow(2, layout.reach, layout.width).copy_(maps_phw);
  return result;
}

/// Powers of affinities, [reach + height, O, stride]; 0 for pairs that leave the map.
at::Tensor powers_of(const at::Tensor& affinities_ohw, const std::vector<CellOffset>& offsets, double beta,
                     const Layout& layout) {
  at::Tensor powers =
      at::zeros({layout.reach + layout.height, static_cast<std::int64_t>(offsets.size()), layout.stride}, at::kFloat);
  for (std::size_t o = 0; o < offsets.size(); ++o) {
    const auto [dy, dx] = offsets[o];
    const std::int64_t left = std::max<std::int64_t>(0, -dx), right = layout.width - std::max<std::int64_t>(0, dx);
    if (dy >= layout.height || left >= right) continue;
    const at::Tensor inside = affinities_ohw[static_cast<std::int64_t>(o)]
                                  .narrow(0, 0, layout.height - dy)
                                  .narrow(1, left, right - left)
                                  .pow(beta);
    powers.select(1, static_cast<std::int64_t>(o))
        .narrow(0, layout.reach, layout.height - dy)
        .narrow(1, layout.reach + left, right - left)
        .copy_(inside.masked_fill(inside.lt(kSmallestPower), 0));
  }
  return powers;
}

/// One row of `Planes` maps: each cell takes from itself and from both ends of its pairs, times `factors`.
template <int Planes>
[[gnu::always_inline]] inline void step_row(const float* maps, std::int64_t plane_step, const float* powers,
                                            const Neighbour* neighbours, std::int64_t size, const float* factors,
                                            std::int64_t padded, float* outputs) {
  for (std::int64_t x = 0; x < padded; x += kLanes) {
    Lanes sums[Planes];
    for (int k = 0; k < Planes; ++k) sums[k] = load(maps + k * plane_step + x);
    for (std::int64_t o = 0; o < size; ++o) {
      const Neighbour& neighbour = neighbours[o];
      const Lanes there = load(powers + neighbour.power + x), here = load(powers + neighbour.back + x);
      for (int k = 0; k < Planes; ++k) {
        const float* cell = maps + k * plane_step + x;
        sums[k] += there * load(cell + neighbour.map) + here * load(cell - neighbour.map);
      }
    }
    const Lanes factor = load(factors + x);
    for (int k = 0; k < Planes; ++k) store(outputs + k * plane_step + x, sums[k] * factor);
  }
}

SEEDBED_FOR_EACH_PROCESSOR
void step_row_of(int planes, const float* maps, std::int64_t plane_step, const float* powers,
                 const Neighbour* neighbours, std::int64_t size, const float* factors, std::int64_t padded,
                 float* outputs) {
  switch (planes) {
    case 1:
      return step_row<1>(maps, plane_step, powers, neighbours, size, factors, padded, outputs);
    case 2:
      return step_row<2>(maps, plane_step, powers, neighbours, size, factors, padded, outputs);
    case 3:
      return step_row<3>(maps, plane_step, powers, neighbours, size, factors, padded, outputs);
    default:
      return step_row<kPlanesAtOnce>(maps, plane_step, powers, neighbours, size, factors, padded, outputs);
  }
}

/// Applies steps to maps with margins.
class Walk {
 public:
  Walk(const at::Tensor& powers, const std::vector<CellOffset>& offsets, const Layout& layout)
      : powers_(powers), neighbours_(neighbours_of(offsets, layout)), layout_(layout) {
    factors_ = inside_factors(at::ones({layout.height, layout.width}, at::kFloat));
    at::Tensor ones = with_margins(at::ones({1, layout.height, layout.width}, at::kFloat), layout_);
    at::Tensor sums = at::zeros_like(ones);
    step(ones, sums);
    factors_ = inside_factors(
        sums[0].narrow(0, layout.reach, layout.height).narrow(1, layout.reach, layout.width).reciprocal());
  }

  void step(const at::Tensor& from, at::Tensor& to) const {
    const float* source = from.const_data_ptr<float>();
    const float* powers = powers_.const_data_ptr<float>();
    const float* factors = factors_.const_data_ptr<float>();
    float* target = to.mutable_data_ptr<float>();
    const std::int64_t planes = from.size(0), plane_step = layout_.rows() * layout_.stride;
    const auto size = static_cast<std::int64_t>(neighbours_.size());
    at::parallel_for(0, layout_.height, kRowsAtLeast, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t y = begin; y < end; ++y) {
        const float* row_powers = powers + (layout_.reach + y) * size * layout_.stride + layout_.reach;
        for (std::int64_t first = 0; first < planes; first += kPlanesAtOnce) {
          const std::int64_t row = first * plane_step + (layout_.reach + y) * layout_.stride + layout_.reach;
          step_row_of(static_cast<int>(std::min<std::int64_t>(kPlanesAtOnce, planes - first)), source + row, plane_step,
                      row_powers, neighbours_.data(), size, factors + y * layout_.padded, layout_.padded, target + row);
        }
      }
    });
  }

 private:
  /// [height, padded], 0 beyond the map, so that what lies there stays 0.
  at::Tensor inside_factors(const at::Tensor& factors_hw) const {
    at::Tensor padded = at::zeros({layout_.height, layout_.padded}, at::kFloat);
    padded.narrow(1, 0, layout_.width).copy_(factors_hw);
    return padded;
  }

  at::Tensor powers_, factors_;
  std::vector<Neighbour> neighbours_;
  Layout layout_;
};

void require_arguments(const at::Tensor& maps, const at::Tensor& affinities, const std::vector<CellOffset>& offsets,
                       double beta, std::int64_t log_steps) {
  const auto fail = [](const char* promise, const std::string& expected, const std::string& found) {
    throw ContractError("random_walk", promise, expected, found);
  };
  if (!maps.defined() || !affinities.defined() || maps.dim() != 3 || affinities.dim() != 3 ||
      affinities.size(0) != static_cast<std::int64_t>(offsets.size()) || maps.size(1) != affinities.size(1) ||
      maps.size(2) != affinities.size(2) || maps.size(1) == 0 || maps.size(2) == 0) {
    fail("maps and affinities agree in h and w, affinities and offsets in number", "[P,h,w] and [O,h,w]",
         "other shapes");
  }
  if (maps.scalar_type() != at::kFloat || affinities.scalar_type() != at::kFloat) {
    fail("maps and affinities are float32", "float32", "another type");
  }
  if (std::ranges::any_of(offsets, [](const CellOffset& o) { return o.dy < 0 || (o.dy == 0 && o.dx <= 0); })) {
    fail("an offset leads to a later cell", "dy > 0, or dy = 0 and dx > 0", "another");
  }
  if (log_steps < 0 || log_steps > kMostLogSteps) {
    fail("log_steps is a number of squarings", "0 .. " + std::to_string(kMostLogSteps), std::to_string(log_steps));
  }
  if (!(beta > 0)) fail("affinities get a positive power", "above 0", std::to_string(beta));
}

}  // namespace

at::Tensor random_walk(const at::Tensor& maps_phw, const at::Tensor& affinities_ohw,
                       const std::vector<CellOffset>& offsets, double beta, std::int64_t log_steps) {
  const c10::NoGradGuard no_grad;
  require_arguments(maps_phw, affinities_ohw, offsets, beta, log_steps);
  std::int64_t reach = 0;
  for (const CellOffset& offset : offsets) reach = std::max({reach, offset.dy, std::abs(offset.dx)});
  const Layout layout(maps_phw.size(1), maps_phw.size(2), reach);
  const Walk walk(powers_of(affinities_ohw.cpu(), offsets, beta, layout), offsets, layout);
  at::Tensor current = with_margins(maps_phw.cpu(), layout), next = at::zeros_like(current);
  for (std::int64_t i = 0; i < std::int64_t{1} << log_steps; ++i) {
    walk.step(current, next);
    std::swap(current, next);
  }
  return current.narrow(1, layout.reach, layout.height)
      .narrow(2, layout.reach, layout.width)
      .clone(at::MemoryFormat::Contiguous)
      .to(maps_phw.device());
}

}  // namespace seedbed::kernels
