#include "seedbed/kernels/pixel_adaptive.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"
#include "vector_lanes.hpp"

// The released forms copy every neighbour of every plane in each iteration. Here a plane is stored once, its rows
// extended to both sides by their edge values, so that a neighbour is a shifted pointer and every inner loop runs over
// whole vectors without a border case. Rows above and below the image are the first and the last one.
namespace seedbed::kernels {
namespace {

struct Offset {
  std::int64_t dy, dx;
};

/// For each dilation the eight neighbours in row-major order, without the centre.
std::vector<Offset> neighbours(const std::vector<std::int64_t>& dilations) {
  std::vector<Offset> offsets;
  for (const std::int64_t d : dilations) {
    for (const std::int64_t y : {-1, 0, 1}) {
      for (const std::int64_t x : {-1, 0, 1}) {
        if (x != 0 || y != 0) offsets.push_back({d * y, d * x});
      }
    }
  }
  return offsets;
}

/// Where things lie in the extended planes [planes][height][stride].
struct Layout {
  std::int64_t height, width;
  std::int64_t margin;  // columns added on the left; at least as many on the right
  std::int64_t padded;  // width rounded up to whole vectors
  std::int64_t stride;  // floats in a row

  Layout(std::int64_t h, std::int64_t w, std::int64_t reach)
      : height(h), width(w), margin(reach), padded((w + kLanes - 1) / kLanes * kLanes), stride(padded + 2 * reach) {}

  std::int64_t row(std::int64_t plane, std::int64_t y) const {
    return (plane * height + std::clamp<std::int64_t>(y, 0, height - 1)) * stride + margin;
  }
};

/// Repeats the edge values of a row on both sides. `row` points at column 0.
void extend(float* row, const Layout& layout) {
  std::fill(row - layout.margin, row, row[0]);
  std::fill(row + layout.width, row + layout.padded + layout.margin, row[layout.width - 1]);
}

at::Tensor extended(const at::Tensor& planes_phw, const Layout& layout) {
  at::Tensor result = at::empty({planes_phw.size(0), layout.height, layout.stride}, at::kFloat);
  result.slice(2, layout.margin, layout.margin + layout.width).copy_(planes_phw);
  float* data = result.mutable_data_ptr<float>();
  at::parallel_for(0, planes_phw.size(0) * layout.height, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) extend(data + i * layout.stride + layout.margin, layout);
  });
  return result;
}

/// How colour differences become logits; the centre counts `centre_count` times in the local deviation.
struct ColourTerm {
  bool squared;
  float weight;
  std::int64_t centre_count;
};

/// Logits of one row, [neighbour][padded], less their maximum over the neighbours. `rows[c * size + p]` points at
/// column 0 of neighbour p's row in channel c, shifted by the neighbour's dx; `centres[c]` at the row itself.
SEEDBED_FOR_EACH_PROCESSOR
void row_logits(const std::vector<const float*>& rows, const std::vector<const float*>& centres, std::int64_t padded,
                const ColourTerm& term, float* logits) {
  const auto channels = static_cast<std::int64_t>(centres.size());
  const auto size = static_cast<std::int64_t>(rows.size()) / channels;
  const auto count = static_cast<float>(size + term.centre_count);
  for (std::int64_t x = 0; x < padded; x += kLanes) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const float* const* channel = rows.data() + c * size;
      // Deviations from the centre pixel: exact zeros where the surroundings are flat.
      const Lanes centre = load(centres[c] + x);
      Lanes sum{};
      for (std::int64_t p = 0; p < size; ++p) sum += load(channel[p] + x) - centre;
      const Lanes mean = sum / count;
      Lanes squares = mean * mean * static_cast<float>(term.centre_count);
      for (std::int64_t p = 0; p < size; ++p) {
        const Lanes difference = load(channel[p] + x) - centre - mean;
        squares += difference * difference;
      }
      Lanes variance = squares / (count - 1.0f);
      Lanes deviation;
      for (std::int64_t i = 0; i < kLanes; ++i) deviation[i] = std::sqrt(variance[i]);
      // PAR: ((|d| / (s + 1e-8)) / w)^2. PAMR: |d| / (1e-8 + w s).
      const Lanes divisor = term.squared ? (deviation + 1e-8f) * term.weight : deviation * term.weight + 1e-8f;
      const Lanes factor = (term.squared ? 1.0f : 1.0f / static_cast<float>(channels)) / divisor;
      for (std::int64_t p = 0; p < size; ++p) {
        Lanes difference = (load(channel[p] + x) - centre) * factor;
        if (term.squared) {
          difference = difference * difference / static_cast<float>(channels);
        } else {
          difference = difference < 0.0f ? -difference : difference;
        }
        float* out = logits + p * padded + x;
        store(out, c == 0 ? -difference : load(out) - difference);
      }
    }
    Lanes highest = load(logits + x);
    for (std::int64_t p = 1; p < size; ++p) {
      const Lanes value = load(logits + p * padded + x);
      highest = value > highest ? value : highest;
    }
    for (std::int64_t p = 0; p < size; ++p) store(logits + p * padded + x, load(logits + p * padded + x) - highest);
  }
}

/// Exponentials of one row to weights: softmax over the neighbours plus their distance terms.
SEEDBED_FOR_EACH_PROCESSOR
void row_weights(float* values, std::int64_t padded, const std::vector<float>& distance, float scale) {
  const auto size = static_cast<std::int64_t>(distance.size());
  for (std::int64_t x = 0; x < padded; x += kLanes) {
    Lanes sum{};
    for (std::int64_t p = 0; p < size; ++p) sum += load(values + p * padded + x);
    const Lanes factor = scale / sum;
    for (std::int64_t p = 0; p < size; ++p) {
      store(values + p * padded + x, load(values + p * padded + x) * factor + distance[p] * scale);
    }
  }
}

/// One output row of `Planes` planes at once, so that each weight is read once for all of them.
template <int Planes>
[[gnu::always_inline]] inline void filter_row(const float* const* rows, std::int64_t size, std::int64_t plane_step,
                                              const float* weights, std::int64_t padded, float* const* outputs) {
  for (std::int64_t x = 0; x < padded; x += kLanes) {
    Lanes sums[Planes] = {};
    for (std::int64_t p = 0; p < size; ++p) {
      const Lanes weight = load(weights + p * padded + x);
      const float* source = rows[p] + x;
      for (int k = 0; k < Planes; ++k) sums[k] += weight * load(source + k * plane_step);
    }
    for (int k = 0; k < Planes; ++k) store(outputs[k] + x, sums[k]);
  }
}

constexpr int kPlanesAtOnce = 4;

SEEDBED_FOR_EACH_PROCESSOR
void filter_row_of(int planes, const float* const* rows, std::int64_t size, std::int64_t plane_step,
                   const float* weights, std::int64_t padded, float* const* outputs) {
  switch (planes) {
    case 1:
      return filter_row<1>(rows, size, plane_step, weights, padded, outputs);
    case 2:
      return filter_row<2>(rows, size, plane_step, weights, padded, outputs);
    case 3:
      return filter_row<3>(rows, size, plane_step, weights, padded, outputs);
    default:
      return filter_row<kPlanesAtOnce>(rows, size, plane_step, weights, padded, outputs);
  }
}

/// PAR's distance softmax, times its weight; zeros for PAMR.
std::vector<float> distance_terms(const std::vector<Offset>& offsets, const PixelAdaptiveOptions& options) {
  std::vector<float> terms(offsets.size(), 0.0f);
  if (!options.par) return terms;
  const auto size = static_cast<double>(offsets.size());
  std::vector<double> distances;
  double mean = 0.0, squares = 0.0, sum = 0.0;
  for (const Offset& o : offsets) {
    const double d = static_cast<double>(std::max(std::abs(o.dy), std::abs(o.dx)));
    distances.push_back(o.dy != 0 && o.dx != 0 ? d * std::numbers::sqrt2 : d);
    mean += distances.back() / size;
  }
  for (const double d : distances) squares += (d - mean) * (d - mean);
  const double deviation = std::sqrt(squares / (size - 1.0)) + 1e-8;
  for (double& d : distances) {
    const double logit = d / deviation / options.colour_weight;
    d = std::exp(-logit * logit);
    sum += d;
  }
  for (std::size_t p = 0; p < terms.size(); ++p) {
    terms[p] = static_cast<float>(options.distance_weight * distances[p] / sum);
  }
  return terms;
}

/// Weights of one image, [H, neighbours, padded].
at::Tensor image_weights(const at::Tensor& image_dhw, const std::vector<Offset>& offsets, const Layout& layout,
                         const PixelAdaptiveOptions& options) {
  const at::Tensor image = extended(image_dhw, layout);
  const float* pixels = image.const_data_ptr<float>();
  const std::int64_t channels = image.size(0), size = static_cast<std::int64_t>(offsets.size());
  const ColourTerm term{options.par, static_cast<float>(options.colour_weight),
                        options.par ? 0 : static_cast<std::int64_t>(options.dilations.size())};
  at::Tensor weights = at::empty({layout.height, size, layout.padded}, at::kFloat);
  float* values = weights.mutable_data_ptr<float>();
  at::parallel_for(0, layout.height, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<const float*> rows(static_cast<std::size_t>(channels * size)),
        centres(static_cast<std::size_t>(channels));
    for (std::int64_t y = begin; y < end; ++y) {
      for (std::int64_t c = 0; c < channels; ++c) {
        centres[c] = pixels + layout.row(c, y);
        for (std::int64_t p = 0; p < size; ++p) {
          rows[c * size + p] = pixels + layout.row(c, y + offsets[p].dy) + offsets[p].dx;
        }
      }
      row_logits(rows, centres, layout.padded, term, values + y * size * layout.padded);
    }
  });
  weights.exp_();
  const std::vector<float> distance = distance_terms(offsets, options);
  const float scale =
      options.par && options.renormalise ? static_cast<float>(1.0 / (1.0 + options.distance_weight)) : 1.0f;
  at::parallel_for(0, layout.height, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t y = begin; y < end; ++y) {
      row_weights(values + y * size * layout.padded, layout.padded, distance, scale);
    }
  });
  return weights;
}

void filter_once(const at::Tensor& from, at::Tensor& to, const at::Tensor& weights, const std::vector<Offset>& offsets,
                 const Layout& layout) {
  const float* source = from.const_data_ptr<float>();
  const float* weight = weights.const_data_ptr<float>();
  float* target = to.mutable_data_ptr<float>();
  const std::int64_t planes = from.size(0), size = static_cast<std::int64_t>(offsets.size());
  at::parallel_for(0, layout.height, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<const float*> rows(static_cast<std::size_t>(size));
    for (std::int64_t y = begin; y < end; ++y) {
      for (std::int64_t first = 0; first < planes; first += kPlanesAtOnce) {
        const int count = static_cast<int>(std::min<std::int64_t>(kPlanesAtOnce, planes - first));
        for (std::int64_t p = 0; p < size; ++p) {
          rows[p] = source + layout.row(first, y + offsets[p].dy) + offsets[p].dx;
        }
        float* outputs[kPlanesAtOnce] = {};
        for (int k = 0; k < count; ++k) outputs[k] = target + layout.row(first + k, y);
        filter_row_of(count, rows.data(), size, layout.height * layout.stride, weight + y * size * layout.padded,
                      layout.padded, outputs);
        for (int k = 0; k < count; ++k) extend(outputs[k], layout);
      }
    }
  });
}

at::Tensor refine_one(const at::Tensor& image_dhw, const at::Tensor& planes_phw, const PixelAdaptiveOptions& options) {
  const std::vector<Offset> offsets = neighbours(options.dilations);
  const Layout layout(planes_phw.size(1), planes_phw.size(2), *std::ranges::max_element(options.dilations));
  const at::Tensor weights = image_weights(image_dhw, offsets, layout, options);
  at::Tensor current = extended(planes_phw, layout), next = at::empty_like(current);
  for (std::int64_t i = 0; i < options.iterations; ++i) {
    filter_once(current, next, weights, offsets, layout);
    std::swap(current, next);
  }
  return current.slice(2, layout.margin, layout.margin + layout.width).clone(at::MemoryFormat::Contiguous);
}

void require_arguments(const at::Tensor& images, const at::Tensor& planes, const PixelAdaptiveOptions& options) {
  const auto fail = [](const char* promise, const char* expected, const std::string& found) {
    throw ContractError("pixel_adaptive_refine", promise, expected, found);
  };
  if (!images.defined() || !planes.defined() || images.dim() != 4 || planes.dim() != 4 || images.numel() == 0 ||
      planes.numel() == 0 || images.size(0) != planes.size(0) || images.size(2) != planes.size(2) ||
      images.size(3) != planes.size(3)) {
    fail("images and planes agree in N, H and W", "[N,D,H,W] and [N,P,H,W]", "other shapes");
  }
  if (images.scalar_type() != at::kFloat || planes.scalar_type() != at::kFloat) {
    fail("images and planes are float32", "float32", "another type");
  }
  if (options.dilations.empty() || std::ranges::any_of(options.dilations, [](std::int64_t d) { return d < 1; })) {
    fail("dilations are positive", "at least one, each at least 1", "none, or a smaller one");
  }
}

}  // namespace

PixelAdaptiveOptions pamr_options() { return {}; }

PixelAdaptiveOptions par_options() {
  PixelAdaptiveOptions options;
  options.par = true;
  options.colour_weight = 0.3;
  return options;
}

at::Tensor pixel_adaptive_refine(const at::Tensor& images_nchw, const at::Tensor& planes_nphw,
                                 const PixelAdaptiveOptions& options) {
  const c10::NoGradGuard no_grad;
  require_arguments(images_nchw, planes_nphw, options);
  const at::Tensor images = images_nchw.cpu(), planes = planes_nphw.cpu();
  std::vector<at::Tensor> refined;
  for (std::int64_t n = 0; n < images.size(0); ++n) refined.push_back(refine_one(images[n], planes[n], options));
  return at::stack(refined).to(planes_nphw.device());
}

}  // namespace seedbed::kernels
