#pragma once

#include <cstdint>
#include <iosfwd>
#include <vector>

#include <ATen/core/Tensor.h>
#include <gmock/gmock.h>

namespace seedbed::testing {

/// Same shape and type, and |a - e| <= atol + rtol |e| for every element (NaN equals NaN). On failure it says shape,
/// type, how many elements differ, where the worst one is and both values there.
::testing::Matcher<const at::Tensor&> all_close(at::Tensor expected, double atol, double rtol = 0.0);

/// Same shape, type and elements.
::testing::Matcher<const at::Tensor&> equals_tensor(at::Tensor expected);

::testing::Matcher<const at::Tensor&> has_shape(std::vector<std::int64_t> shape);

}  // namespace seedbed::testing

namespace at {

/// GoogleTest prints a tensor by shape and type instead of by all its elements.
void PrintTo(const Tensor& tensor, std::ostream* stream);

}  // namespace at
