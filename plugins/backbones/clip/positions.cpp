#include <ATen/ATen.h>

#include "visual_network.hpp"

namespace seedbed::clip {

at::Tensor fitted_positions(const at::Tensor& table_ld, std::int64_t height, std::int64_t width,
                            const VisualOptions& options) {
  at::Tensor table = table_ld.unsqueeze(0);
  const std::int64_t base = options.position_base;
  if (base > 0) {
    table = kernels::resample_position_table(table, kClassTokens, base, base, options.position_rule);
  }
  return kernels::resample_position_table(table, kClassTokens, height, width, options.position_rule);
}

}  // namespace seedbed::clip
