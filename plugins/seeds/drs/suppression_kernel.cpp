#include "suppression_kernel.hpp"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

namespace seedbed::drs {
namespace {

// Cells that one task takes where channels lie side by side; fixed, so that sums do not depend on the threads.
constexpr std::int64_t kTaskCells = 1024;

// Activations in one of the two layouts, images N, channels D, cells M.
struct Layout {
  std::int64_t images, channels, cells;
  bool channels_last;

  std::int64_t tasks() const { return (cells + kTaskCells - 1) / kTaskCells; }
};

Layout layout_of(const at::Tensor& activated_ndhw) {
  return {activated_ndhw.size(0), activated_ndhw.size(1), activated_ndhw.size(2) * activated_ndhw.size(3),
          activated_ndhw.is_contiguous(at::MemoryFormat::ChannelsLast) && !activated_ndhw.is_contiguous()};
}

// Runs task(image, first cell, one past the last) for every image and, where channels lie side by side, every part of it.
template <typename Task>
void for_cells(const Layout& layout, Task task) {
  at::parallel_for(0, layout.images * layout.tasks(), 1, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; ++i) {
      const std::int64_t first = i % layout.tasks() * kTaskCells;
      task(i / layout.tasks(), first, std::min(first + kTaskCells, layout.cells));
    }
  });
}

// Runs task(image, channel) where a channel's cells lie side by side.
template <typename Task>
void for_channels(const Layout& layout, Task task) {
  at::parallel_for(0, layout.images * layout.channels, 1, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; ++i) task(i / layout.channels, i % layout.channels);
  });
}

struct Maxima {
  at::Tensor value_nd;  // float32
  at::Tensor place_nd;  // int32: the first cell that attains it
};

void channel_maximum(const float* cells, std::int64_t count, float& value, std::int32_t& place) {
  constexpr std::int64_t kLanes = 8;
  float highest[kLanes];
  std::fill(highest, highest + kLanes, cells[0]);
  const std::int64_t whole = count / kLanes * kLanes;
  for (std::int64_t i = 0; i < whole; i += kLanes) {
    for (std::int64_t k = 0; k < kLanes; ++k) highest[k] = cells[i + k] > highest[k] ? cells[i + k] : highest[k];
  }
  for (std::int64_t i = whole; i < count; ++i) highest[0] = std::max(highest[0], cells[i]);
  value = *std::max_element(highest, highest + kLanes);
  place = static_cast<std::int32_t>(std::find(cells, cells + count, value) - cells);
}

Maxima maxima_of_channels(const float* activated, const Layout& layout, const at::TensorOptions& options) {
  Maxima maxima{at::empty({layout.images, layout.channels}, options),
                at::empty({layout.images, layout.channels}, options.dtype(at::kInt))};
  auto* value = maxima.value_nd.data_ptr<float>();
  auto* place = maxima.place_nd.data_ptr<std::int32_t>();
  for_channels(layout, [&](std::int64_t n, std::int64_t d) {
    const std::int64_t i = n * layout.channels + d;
    channel_maximum(activated + i * layout.cells, layout.cells, value[i], place[i]);
  });
  return maxima;
}

Maxima maxima_of_cells(const float* activated, const Layout& layout, const at::TensorOptions& options) {
  const std::int64_t tasks = layout.tasks(), channels = layout.channels;
  const at::Tensor values = at::empty({layout.images, tasks, channels}, options);
  const at::Tensor places = at::empty({layout.images, tasks, channels}, options.dtype(at::kInt));
  auto* all_values = values.data_ptr<float>();
  auto* all_places = places.data_ptr<std::int32_t>();
  for_cells(layout, [&](std::int64_t n, std::int64_t first, std::int64_t last) {
    const std::int64_t part = (n * tasks + first / kTaskCells) * channels;
    float* value = all_values + part;
    std::int32_t* place = all_places + part;
    const float* row = activated + (n * layout.cells + first) * channels;
    std::copy(row, row + channels, value);
    std::fill(place, place + channels, static_cast<std::int32_t>(first));
    for (std::int64_t cell = first + 1; cell < last; ++cell) {
      row += channels;
      for (std::int64_t d = 0; d < channels; ++d) {
        const bool higher = row[d] > value[d];
        value[d] = higher ? row[d] : value[d];
        place[d] = higher ? static_cast<std::int32_t>(cell) : place[d];
      }
    }
  });
  // The first of the equal parts comes first: max() takes the first index on CPUs.
  const auto [value_nd, part_nd] = values.max(1);
  return {value_nd, places.gather(1, part_nd.unsqueeze(1)).squeeze(1).contiguous()};
}

at::Tensor limited(const at::Tensor& activated_ndhw, const at::Tensor& limit_nd, const Layout& layout) {
  at::Tensor result = at::empty_like(activated_ndhw);
  const auto* from = activated_ndhw.const_data_ptr<float>();
  const auto* limit = limit_nd.const_data_ptr<float>();
  auto* to = result.data_ptr<float>();
  if (layout.channels_last) {
    for_cells(layout, [&](std::int64_t n, std::int64_t first, std::int64_t last) {
      for (std::int64_t i = (n * layout.cells + first) * layout.channels; first < last; ++first) {
        const float* highest = limit + n * layout.channels;
        for (std::int64_t d = 0; d < layout.channels; ++d)
          to[i + d] = from[i + d] < highest[d] ? from[i + d] : highest[d];
        i += layout.channels;
      }
    });
  } else {
    for_channels(layout, [&](std::int64_t n, std::int64_t d) {
      const float highest = limit[n * layout.channels + d];
      const std::int64_t start = (n * layout.channels + d) * layout.cells;
      for (std::int64_t i = start; i < start + layout.cells; ++i) to[i] = from[i] < highest ? from[i] : highest;
    });
  }
  return result;
}

struct Gradients {
  at::Tensor let_through_ndhw;
  at::Tensor held_down_nd;  // sum over the cells above the limit
};

Gradients split_gradient(const at::Tensor& gradient_ndhw, const at::Tensor& activated_ndhw, const at::Tensor& limit_nd,
                         const Layout& layout) {
  const std::int64_t channels = layout.channels, tasks = layout.channels_last ? layout.tasks() : 1;
  Gradients result{at::empty_like(activated_ndhw), at::zeros({layout.images, tasks, channels}, limit_nd.options())};
  const auto* gradient = gradient_ndhw.const_data_ptr<float>();
  const auto* activated = activated_ndhw.const_data_ptr<float>();
  const auto* limit = limit_nd.const_data_ptr<float>();
  auto* through = result.let_through_ndhw.data_ptr<float>();
  auto* held = result.held_down_nd.data_ptr<float>();
  if (layout.channels_last) {
    for_cells(layout, [&](std::int64_t n, std::int64_t first, std::int64_t last) {
      float* sum = held + (n * tasks + first / kTaskCells) * channels;
      const float* highest = limit + n * channels;
      std::int64_t i = (n * layout.cells + first) * channels;
      for (; first < last; ++first, i += channels) {
        for (std::int64_t d = 0; d < channels; ++d) {
          const bool above = activated[i + d] > highest[d];
          through[i + d] = above ? 0.0F : gradient[i + d];
          sum[d] += above ? gradient[i + d] : 0.0F;
        }
      }
    });
  } else {
    for_channels(layout, [&](std::int64_t n, std::int64_t d) {
      const float highest = limit[n * channels + d];
      const std::int64_t start = (n * channels + d) * layout.cells;
      double sum = 0;
      for (std::int64_t i = start; i < start + layout.cells; ++i) {
        const bool above = activated[i] > highest;
        through[i] = above ? 0.0F : gradient[i];
        sum += above ? gradient[i] : 0.0F;
      }
      held[n * channels + d] = static_cast<float>(sum);
    });
  }
  result.held_down_nd = result.held_down_nd.sum(1);
  return result;
}

void add_at(at::Tensor& maps_ndhw, const at::Tensor& place_nd, const at::Tensor& value_nd, const Layout& layout) {
  auto* maps = maps_ndhw.data_ptr<float>();
  const auto* place = place_nd.const_data_ptr<std::int32_t>();
  const auto* value = value_nd.const_data_ptr<float>();
  for (std::int64_t n = 0; n < layout.images; ++n) {
    for (std::int64_t d = 0; d < layout.channels; ++d) {
      const std::int64_t i = n * layout.channels + d;
      const std::int64_t cell =
          layout.channels_last ? (n * layout.cells + place[i]) * layout.channels + d : i * layout.cells + place[i];
      maps[cell] += value[i];
    }
  }
}

class SuppressOnCpu : public torch::autograd::Function<SuppressOnCpu> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& activated_ndhw,
                            const at::Tensor& share_nd) {
    const Layout layout = layout_of(activated_ndhw);
    const auto* cells = activated_ndhw.const_data_ptr<float>();
    const Maxima maxima = layout.channels_last ? maxima_of_cells(cells, layout, share_nd.options())
                                               : maxima_of_channels(cells, layout, share_nd.options());
    const at::Tensor limit_nd = (maxima.value_nd * share_nd).contiguous();
    context->save_for_backward({activated_ndhw, share_nd, maxima.value_nd, maxima.place_nd, limit_nd});
    return limited(activated_ndhw, limit_nd, layout);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &activated_ndhw = saved[0], &share_nd = saved[1], &maximum_nd = saved[2], &place_nd = saved[3],
                     &limit_nd = saved[4];
    const Layout layout = layout_of(activated_ndhw);
    const at::Tensor gradient_ndhw =
        gradients[0].contiguous(layout.channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
    Gradients split = split_gradient(gradient_ndhw, activated_ndhw, limit_nd, layout);
    add_at(split.let_through_ndhw, place_nd, (split.held_down_nd * share_nd).contiguous(), layout);
    return {split.let_through_ndhw, split.held_down_nd * maximum_nd};
  }
};

}  // namespace

at::Tensor suppress_by_operations(const at::Tensor& activated_ndhw, const at::Tensor& share_nd) {
  const at::Tensor maximum_nd11 = activated_ndhw.amax({2, 3}, /*keepdim=*/true);
  return at::minimum(activated_ndhw, maximum_nd11 * share_nd.view_as(maximum_nd11));
}

at::Tensor suppress(const at::Tensor& activated_ndhw, const at::Tensor& share_nd) {
  const bool dense = activated_ndhw.is_contiguous() || activated_ndhw.is_contiguous(at::MemoryFormat::ChannelsLast);
  if (!activated_ndhw.is_cpu() || activated_ndhw.scalar_type() != at::kFloat || activated_ndhw.numel() == 0 || !dense) {
    return suppress_by_operations(activated_ndhw, share_nd);
  }
  return SuppressOnCpu::apply(activated_ndhw, share_nd.contiguous());
}

}  // namespace seedbed::drs
