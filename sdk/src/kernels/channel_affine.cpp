#include "seedbed/kernels/channel_affine.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "seedbed/error.hpp"
#include "vector_lanes.hpp"

namespace seedbed::kernels {
namespace {

struct Bounds {
  float low, high;
};

Bounds bounds_of(Activation activation) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  switch (activation) {
    case Activation::relu:
      return {0, kInfinity};
    case Activation::relu6:
      return {0, 6};
    case Activation::none:
      break;
  }
  return {-kInfinity, kInfinity};
}

/// Written so that NaN passes: no comparison with it holds.
template <typename T>
[[gnu::always_inline]] inline T bounded(const T& value, const T& low, const T& high) {
  const T raised = value < low ? low : value;
  return raised > high ? high : raised;
}

/// One row of values. Where `step` is 0, one scale and one shift serve the row; where it is 1, each value has its own.
SEEDBED_FOR_EACH_PROCESSOR
void affine_row(const float* input, const float* scale, const float* shift, std::int64_t step, const float* addend,
                Bounds bounds, std::int64_t size, float* output) {
  const Lanes low = Lanes{} + bounds.low, high = Lanes{} + bounds.high;
  const Lanes one_scale = Lanes{} + scale[0], one_shift = Lanes{} + shift[0];
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    Lanes value = load(input + i) * (step ? load(scale + i) : one_scale) + (step ? load(shift + i) : one_shift);
    if (addend) value += load(addend + i);
    store(output + i, bounded(value, low, high));
  }
  for (; i < size; ++i) {
    float value = input[i] * scale[step * i] + shift[step * i];
    if (addend) value += addend[i];
    output[i] = bounded(value, bounds.low, bounds.high);
  }
}

at::MemoryFormat format_of(const at::Tensor& map) {
  return map.is_contiguous() ? at::MemoryFormat::Contiguous : at::MemoryFormat::ChannelsLast;
}

void require(bool holds, const char* promise, const at::Tensor& found) {
  if (holds) return;
  throw ContractError("channel_affine", promise, "such tensors",
                      found.defined()
                          ? std::to_string(found.dim()) + " dimensions of " + c10::toString(found.scalar_type())
                          : "an undefined tensor");
}

}  // namespace

bool takes_channel_affine(const at::Tensor& map_nchw) {
  return map_nchw.defined() && map_nchw.dim() == 4 && map_nchw.is_cpu() && map_nchw.scalar_type() == at::kFloat &&
         (map_nchw.is_contiguous() || map_nchw.is_contiguous(at::MemoryFormat::ChannelsLast));
}

void channel_affine(const at::Tensor& input_nchw, const at::Tensor& scale_c, const at::Tensor& shift_c,
                    const at::Tensor& addend_nchw, Activation activation, const at::Tensor& output_nchw) {
  require(takes_channel_affine(input_nchw), "a map is [N,C,h,w] float32 on the CPU without gaps", input_nchw);
  const std::int64_t channels = input_nchw.size(1), cells = input_nchw.size(2) * input_nchw.size(3);
  for (const at::Tensor& each : {scale_c, shift_c}) {
    require(each.defined() && each.dim() == 1 && each.size(0) == channels && each.scalar_type() == at::kFloat,
            "scale and shift are [C] float32", each);
  }
  require(takes_channel_affine(output_nchw) && output_nchw.sizes() == input_nchw.sizes() &&
              output_nchw.strides() == input_nchw.strides(),
          "the output is laid out as the input", output_nchw);
  at::Tensor addend = addend_nchw;
  if (addend.defined()) {
    require(addend.sizes() == input_nchw.sizes() && addend.scalar_type() == at::kFloat,
            "the addend has the input's shape", addend);
    addend = addend.contiguous(format_of(input_nchw));
  }
  const at::Tensor scales = scale_c.contiguous(), shifts = shift_c.contiguous();
  const float *input = input_nchw.const_data_ptr<float>(), *scale = scales.const_data_ptr<float>(),
              *shift = shifts.const_data_ptr<float>(),
              *added = addend.defined() ? addend.const_data_ptr<float>() : nullptr;
  float* output = output_nchw.mutable_data_ptr<float>();
  const Bounds bounds = bounds_of(activation);

  // Rows are planes, or cells with all their channels.
  const bool planes = format_of(input_nchw) == at::MemoryFormat::Contiguous;
  const std::int64_t rows = input_nchw.size(0) * (planes ? channels : cells), size = planes ? cells : channels;
  if (input_nchw.numel() == 0) return;
  at::parallel_for(0, rows, std::max<std::int64_t>(1, at::internal::GRAIN_SIZE / size), [&](auto begin, auto end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t first = row * size, channel = planes ? row % channels : 0;
      affine_row(input + first, scale + channel, shift + channel, planes ? 0 : 1, added ? added + first : nullptr,
                 bounds, size, output + first);
    }
  });
}

}  // namespace seedbed::kernels
