#include "lattice.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "seedbed/error.hpp"
#include "vector_lanes.hpp"

// A lattice point has d + 1 integer coordinates with one remainder r modulo d + 1; the last one follows from the others.
// Its key packs r into the three lowest bits and each quotient above them, so that walking to another vertex of a simplex
// or to a neighbour is one addition of a constant.
namespace seedbed::kernels {
namespace {

constexpr std::int64_t kMaxVertices = Lattice::kMaxDimensions + 1;
constexpr std::int64_t kRowsAtOnce = kLanes;
constexpr std::uint32_t kRunEnds = 0x80000000u;
using Ints [[gnu::vector_size(kLanes * sizeof(std::int32_t))]] = std::int32_t;

/// Factors of the d features before they are lifted: sqrt(2/3) (d + 1) / sqrt((k + 1)(k + 2)).
std::array<float, kMaxVertices> feature_scales(std::int64_t d) {
  std::array<float, kMaxVertices> scales{};
  for (std::int64_t k = 0; k < d; ++k) {
    scales[k] = static_cast<float>(std::sqrt(2.0 / 3.0) * static_cast<double>(d + 1) /
                                   std::sqrt(static_cast<double>((k + 1) * (k + 2))));
  }
  return scales;
}

/// How quotients are packed. `unit[j]` is one step along coordinate j; 0 for the last one, which is not stored.
struct KeyLayout {
  std::int64_t d;
  std::array<std::int32_t, kMaxVertices> lowest{};
  std::array<std::uint64_t, kMaxVertices> unit{};

  std::uint64_t remainder(std::uint64_t key) const { return key & 7u; }

  /// From a point to its neighbour with every coordinate one less, but coordinate j greater by d.
  std::uint64_t neighbour(std::uint64_t key, std::int64_t j) const {
    if (remainder(key) > 0) return key - 1 + unit[j];
    return key + static_cast<std::uint64_t>(d) - all_units + unit[j];
  }

  std::uint64_t all_units = 0;
};

/// Reserves bits for every quotient that the features' ranges can lead to, one of a neighbour included.
KeyLayout key_layout(const float* features, std::int64_t rows, std::int64_t d) {
  std::array<double, kMaxVertices> low{}, high{};
  const auto scales = feature_scales(d);
  for (std::int64_t k = 0; k < d; ++k) {
    float least = features[k], most = features[k];
    for (std::int64_t i = 0; i < rows; ++i) {
      least = std::min(least, features[i * d + k]);
      most = std::max(most, features[i * d + k]);
    }
    low[k] = static_cast<double>(least) * scales[k];
    high[k] = static_cast<double>(most) * scales[k];
  }
  KeyLayout layout{.d = d};
  int bits = 3;
  bool fits = true;
  // Coordinate j is the sum of the scaled features from j on, less j times feature j - 1.
  for (std::int64_t j = 0; j < d; ++j) {
    double least = j == 0 ? 0.0 : -static_cast<double>(j) * high[j - 1];
    double most = j == 0 ? 0.0 : -static_cast<double>(j) * low[j - 1];
    for (std::int64_t k = j; k < d; ++k) {
      least += low[k];
      most += high[k];
    }
    // Rounding, wrapping, walking round a simplex and stepping to a neighbour: less than one step each.
    least = std::floor(least / static_cast<double>(d + 1)) - 4.0;
    most = std::ceil(most / static_cast<double>(d + 1)) + 4.0;
    fits = fits && std::abs(least) < 1e6 && std::abs(most) < 1e6;  // float32 still rounds exactly to integers
    if (!fits) break;
    layout.lowest[j] = static_cast<std::int32_t>(least);
    const int needed = std::bit_width(static_cast<std::uint64_t>(most - least));
    fits = fits && bits + needed <= 64;
    if (!fits) break;
    layout.unit[j] = std::uint64_t{1} << bits;
    layout.all_units += layout.unit[j];
    bits += needed;
  }
  if (!fits) {
    throw UserError("", "The features spread over more lattice cells than can be numbered.",
                    "Raise the standard deviations: neighbouring features should be near one another in their units.");
  }
  return layout;
}

/// Numbers keys in the order in which they first come. Open addressing with linear probing, at most half full.
class KeyTable {
 public:
  explicit KeyTable(std::int64_t rows) {
    resize(std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(rows / 2, 64))));
  }

  void prefetch(std::uint64_t key) const { __builtin_prefetch(&slots_[place(key)]); }

  std::int32_t number(std::uint64_t key) {
    std::uint64_t at = place(key);
    for (; slots_[at].number >= 0; at = (at + 1) & mask_) {
      if (slots_[at].key == key) return slots_[at].number;
    }
    const auto number = static_cast<std::int32_t>(keys_.size());
    slots_[at] = {key, number};
    keys_.push_back(key);
    if (keys_.size() * 2 > slots_.size()) resize(slots_.size() * 2);
    return number;
  }

  /// -1 where the key has no number.
  std::int32_t find(std::uint64_t key) const {
    for (std::uint64_t at = place(key);; at = (at + 1) & mask_) {
      if (slots_[at].number < 0 || slots_[at].key == key) return slots_[at].number;
    }
  }

  const std::vector<std::uint64_t>& keys() const { return keys_; }

 private:
  struct Slot {
    std::uint64_t key = 0;
    std::int32_t number = -1;
  };

  // Fibonacci hashing: the high bits of the product depend on all bits of the key.
  std::uint64_t place(std::uint64_t key) const { return key * 0x9E3779B97F4A7C15u >> shift_; }

  void resize(std::uint64_t size) {
    slots_.assign(size, {});
    mask_ = size - 1;
    shift_ = 64 - std::countr_zero(size);
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      std::uint64_t at = place(keys_[i]);
      while (slots_[at].number >= 0) at = (at + 1) & mask_;
      slots_[at] = {keys_[i], static_cast<std::int32_t>(i)};
    }
  }

  std::vector<Slot> slots_;
  std::vector<std::uint64_t> keys_;
  std::uint64_t mask_ = 0;
  int shift_ = 0;
};

/// Where sixteen rows lie: the nearest point of remainder 0 (its coordinates over d + 1), the residuals in units of d + 1,
/// and the residuals' ranks, 0 the largest.
struct Placement {
  alignas(64) std::int32_t quotient[kMaxVertices][kRowsAtOnce];
  alignas(64) float residual[kMaxVertices][kRowsAtOnce];
  alignas(64) std::int32_t rank[kMaxVertices][kRowsAtOnce];
};

/// features [d][16].
SEEDBED_FOR_EACH_PROCESSOR
void place(const float* features, std::int64_t d, const float* scales, Placement& placement) {
  const auto size = static_cast<float>(d + 1);
  Lanes lifted[kMaxVertices];
  Lanes later{};
  for (std::int64_t j = d; j > 0; --j) {
    const Lanes scaled = load(features + (j - 1) * kLanes) * scales[j - 1];
    lifted[j] = later - static_cast<float>(j) * scaled;
    later += scaled;
  }
  lifted[0] = later;

  constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: what is added to it is rounded to an integer, halves to even
  Lanes nearest[kMaxVertices], residual[kMaxVertices];
  Ints rank[kMaxVertices] = {}, excess{};
  for (std::int64_t j = 0; j <= d; ++j) {
    nearest[j] = (lifted[j] * (1.0f / size) + kRounder) - kRounder;
    residual[j] = lifted[j] - nearest[j] * size;
    excess += __builtin_convertvector(nearest[j], Ints);
  }
  for (std::int64_t i = 0; i < d; ++i) {
    for (std::int64_t j = i + 1; j <= d; ++j) {
      const Ints less = residual[i] < residual[j];
      rank[i] -= less;
      rank[j] -= ~less;
    }
  }
  // The rounded coordinates must sum to 0: the ones with the largest residuals move up, or the smallest down.
  for (std::int64_t j = 0; j <= d; ++j) {
    Ints moved = rank[j] + excess;
    const Ints below = moved<0, above = moved> static_cast<std::int32_t>(d);
    moved += (below & static_cast<std::int32_t>(d + 1)) - (above & static_cast<std::int32_t>(d + 1));
    const Ints quotient = __builtin_convertvector(nearest[j], Ints) - below + above;
    const Lanes left = lifted[j] * (1.0f / size) - __builtin_convertvector(quotient, Lanes);
    std::memcpy(placement.quotient[j], &quotient, sizeof quotient);
    store(placement.residual[j], left);
    std::memcpy(placement.rank[j], &moved, sizeof moved);
  }
}

/// The simplex round one row: keys and weights of its d + 1 vertices, vertex k of remainder k.
void simplex(const Placement& placement, std::int64_t row, const KeyLayout& layout, std::uint64_t* keys,
             float* weights) {
  const std::int64_t d = layout.d;
  float sorted[kMaxVertices] = {};
  std::uint64_t unit_of_rank[kMaxVertices] = {};
  std::uint64_t key = 0;
  for (std::int64_t j = 0; j <= d; ++j) {
    const std::int32_t rank = placement.rank[j][row];
    sorted[rank] = placement.residual[j][row];
    unit_of_rank[rank] = layout.unit[j];
    key += static_cast<std::uint64_t>(placement.quotient[j][row] - layout.lowest[j]) * layout.unit[j];
  }
  weights[0] = 1.0f + sorted[d] - sorted[0];
  keys[0] = key;
  for (std::int64_t k = 1; k <= d; ++k) {
    weights[k] = sorted[d - k] - sorted[d + 1 - k];
    keys[k] = keys[k - 1] + 1 - unit_of_rank[d + 1 - k];
  }
}

/// The runs of points along direction j, in the order of their first points.
std::vector<std::uint32_t> runs_along(std::int64_t j, const KeyTable& table, const KeyLayout& layout) {
  const std::vector<std::uint64_t>& keys = table.keys();
  const std::size_t count = keys.size();
  std::vector<std::int32_t> next(count);
  std::vector<char> starts(count, 1);
  constexpr std::size_t kAhead = 16;
  for (std::size_t i = 0; i < count; ++i) {
    if (i + kAhead < count) table.prefetch(layout.neighbour(keys[i + kAhead], j));
    next[i] = table.find(layout.neighbour(keys[i], j));
    if (next[i] >= 0) starts[static_cast<std::size_t>(next[i])] = 0;
  }
  std::vector<std::uint32_t> runs;
  for (std::size_t first = 0; first < count; ++first) {
    if (!starts[first] || next[first] < 0) continue;
    std::int32_t at = static_cast<std::int32_t>(first);
    for (; next[static_cast<std::size_t>(at)] >= 0; at = next[static_cast<std::size_t>(at)]) {
      runs.push_back(static_cast<std::uint32_t>(at));
    }
    runs.push_back(static_cast<std::uint32_t>(at) | kRunEnds);
  }
  runs.push_back(kRunEnds);
  runs.shrink_to_fit();
  return runs;
}

template <std::int64_t Width>
struct Block {
  using Vector [[gnu::vector_size(Width * sizeof(float))]] = float;

  [[gnu::always_inline]] static inline Vector load(const float* from) {
    Vector vector;
    std::memcpy(&vector, from, sizeof vector);
    return vector;
  }
  [[gnu::always_inline]] static inline void store(float* to, const Vector& vector) {
    std::memcpy(to, &vector, sizeof vector);
  }
};

/// Rows of vertices and weights; `Vertices` 0 = known only at run time.
struct Corners {
  const std::int32_t* vertices;
  const float* weights;
  std::int64_t rows, size;
};

template <std::int64_t Width, std::int64_t Vertices>
[[gnu::always_inline]] inline void splat_rows(const Corners& corners, const float* values, float* at_points) {
  const std::int64_t size = Vertices > 0 ? Vertices : corners.size;
  for (std::int64_t i = 0; i < corners.rows; ++i) {
    const auto value = Block<Width>::load(values + i * Width);
    for (std::int64_t k = 0; k < size; ++k) {
      float* point = at_points + std::int64_t{corners.vertices[i * size + k]} * Width;
      Block<Width>::store(point, Block<Width>::load(point) + value * corners.weights[i * size + k]);
    }
  }
}

template <std::int64_t Width, std::int64_t Vertices>
[[gnu::always_inline]] inline void slice_rows(const Corners& corners, const float* at_points, const float* base,
                                              float factor, float* out) {
  const std::int64_t size = Vertices > 0 ? Vertices : corners.size;
  for (std::int64_t i = 0; i < corners.rows; ++i) {
    typename Block<Width>::Vector sum{};
    for (std::int64_t k = 0; k < size; ++k) {
      const float* point = at_points + std::int64_t{corners.vertices[i * size + k]} * Width;
      sum += Block<Width>::load(point) * corners.weights[i * size + k];
    }
    Block<Width>::store(out + i * Width, Block<Width>::load(base + i * Width) + sum * factor);
  }
}

/// [1/2, 1, 1/2] along the runs, in place. A run's end is a neighbour of weight 0, not a branch: runs are short.
template <std::int64_t Width>
[[gnu::always_inline]] inline void blur_runs(const std::uint32_t* runs, std::int64_t size, float* at_points) {
  constexpr float kHalf[2] = {0.5f, 0.0f};
  typename Block<Width>::Vector before{};
  float* point = at_points + std::int64_t{runs[0] & ~kRunEnds} * Width;
  auto current = Block<Width>::load(point);
  for (std::int64_t i = 0; i < size; ++i) {
    const float half = kHalf[runs[i] >> 31];
    float* next_point = at_points + std::int64_t{runs[i + 1] & ~kRunEnds} * Width;
    const auto next = Block<Width>::load(next_point);
    Block<Width>::store(point, current + before + next * half);
    before = current * half;
    current = next;
    point = next_point;
  }
}

template <std::int64_t Width>
[[gnu::always_inline]] inline void splat_any(const Corners& corners, const float* values, float* at_points) {
  if (corners.size == 3) return splat_rows<Width, 3>(corners, values, at_points);
  if (corners.size == 6) return splat_rows<Width, 6>(corners, values, at_points);
  splat_rows<Width, 0>(corners, values, at_points);
}

template <std::int64_t Width>
[[gnu::always_inline]] inline void slice_any(const Corners& corners, const float* at_points, const float* base,
                                             float factor, float* out) {
  if (corners.size == 3) return slice_rows<Width, 3>(corners, at_points, base, factor, out);
  if (corners.size == 6) return slice_rows<Width, 6>(corners, at_points, base, factor, out);
  slice_rows<Width, 0>(corners, at_points, base, factor, out);
}

SEEDBED_FOR_EACH_PROCESSOR
void splat_width(std::int64_t width, const Corners& corners, const float* values, float* at_points) {
  switch (width) {
    case 4:
      return splat_any<4>(corners, values, at_points);
    case 8:
      return splat_any<8>(corners, values, at_points);
    default:
      return splat_any<16>(corners, values, at_points);
  }
}

SEEDBED_FOR_EACH_PROCESSOR
void slice_width(std::int64_t width, const Corners& corners, const float* at_points, const float* base, float factor,
                 float* out) {
  switch (width) {
    case 4:
      return slice_any<4>(corners, at_points, base, factor, out);
    case 8:
      return slice_any<8>(corners, at_points, base, factor, out);
    default:
      return slice_any<16>(corners, at_points, base, factor, out);
  }
}

SEEDBED_FOR_EACH_PROCESSOR
void blur_width(std::int64_t width, const std::uint32_t* runs, std::int64_t size, float* at_points) {
  switch (width) {
    case 4:
      return blur_runs<4>(runs, size, at_points);
    case 8:
      return blur_runs<8>(runs, size, at_points);
    default:
      return blur_runs<16>(runs, size, at_points);
  }
}

}  // namespace

Lattice::Lattice(const float* features, std::int64_t rows, std::int64_t dimensions)
    : rows_(rows), dimensions_(dimensions) {
  const std::int64_t size = dimensions + 1;
  const KeyLayout layout = key_layout(features, rows, dimensions);
  const auto scales = feature_scales(dimensions);
  vertices_.resize(static_cast<std::size_t>(rows * size));
  weights_.resize(static_cast<std::size_t>(rows * size));
  KeyTable table(rows);
  Placement placement;
  std::uint64_t keys[kRowsAtOnce * kMaxVertices];
  alignas(64) float chunk[kMaxDimensions][kRowsAtOnce] = {};
  for (std::int64_t first = 0; first < rows; first += kRowsAtOnce) {
    const std::int64_t count = std::min(kRowsAtOnce, rows - first);
    for (std::int64_t i = 0; i < count; ++i) {
      for (std::int64_t k = 0; k < dimensions; ++k) chunk[k][i] = features[(first + i) * dimensions + k];
    }
    place(chunk[0], dimensions, scales.data(), placement);
    for (std::int64_t i = 0; i < count; ++i) {
      simplex(placement, i, layout, keys + i * size, weights_.data() + (first + i) * size);
    }
    for (std::int64_t v = 0; v < count * size; ++v) table.prefetch(keys[v]);
    for (std::int64_t v = 0; v < count * size; ++v)
      vertices_[static_cast<std::size_t>(first * size + v)] = table.number(keys[v]);
  }
  points_ = static_cast<std::int64_t>(table.keys().size());
  for (std::int64_t j = 0; j < size; ++j) runs_[j] = runs_along(j, table, layout);
}

void Lattice::normalise() {
  constexpr std::int64_t kWidth = 4;
  std::vector<float> at_rows(static_cast<std::size_t>(rows_ * kWidth), 1.0f);
  std::vector<float> at_points(static_cast<std::size_t>(points_ * kWidth));
  splat(at_rows.data(), kWidth, at_points.data());
  blur(at_points.data(), kWidth, BlurOrder::forward);
  std::ranges::fill(at_rows, 0.0f);
  slice(at_points.data(), kWidth, at_rows.data(), blur_scale(), at_rows.data());
  const std::int64_t size = dimensions_ + 1;
  for (std::int64_t i = 0; i < rows_; ++i) {
    const float root = 1.0f / std::sqrt(at_rows[static_cast<std::size_t>(i * kWidth)] + 1e-20f);
    for (std::int64_t k = 0; k < size; ++k) weights_[static_cast<std::size_t>(i * size + k)] *= root;
  }
}

void Lattice::splat(const float* values, std::int64_t width, float* at_points) const {
  std::fill_n(at_points, points_ * width, 0.0f);
  splat_width(width, {vertices_.data(), weights_.data(), rows_, dimensions_ + 1}, values, at_points);
}

void Lattice::blur(float* at_points, std::int64_t width, BlurOrder order) const {
  for (std::int64_t step = 0; step <= dimensions_; ++step) {
    const auto& runs = runs_[order == BlurOrder::forward ? step : dimensions_ - step];
    blur_width(width, runs.data(), static_cast<std::int64_t>(runs.size()) - 1, at_points);
  }
}

void Lattice::slice(const float* at_points, std::int64_t width, const float* base, float factor, float* out) const {
  slice_width(width, {vertices_.data(), weights_.data(), rows_, dimensions_ + 1}, at_points, base, factor, out);
}

// 1 / (1 + 2^-d): of the [1/2, 1, 1/2] blurs in all directions.
float Lattice::blur_scale() const { return 1.0f / (1.0f + std::ldexp(1.0f, -static_cast<int>(dimensions_))); }

void Lattice::add_neighbours(const float* at_points, std::int64_t width, float* out) const {
  for (std::int64_t j = 0; j <= dimensions_; ++j) {
    const auto& runs = runs_[j];
    for (std::size_t i = 0; i + 1 < runs.size(); ++i) {
      if ((runs[i] & kRunEnds) != 0) continue;
      const std::int64_t one = std::int64_t{runs[i]} * width, next = std::int64_t{runs[i + 1] & ~kRunEnds} * width;
      for (std::int64_t lane = 0; lane < width; ++lane) {
        out[one + lane] += at_points[next + lane];
        out[next + lane] += at_points[one + lane];
      }
    }
  }
}

}  // namespace seedbed::kernels
