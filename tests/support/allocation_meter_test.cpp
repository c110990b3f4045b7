#include "support/allocation_meter.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace seedbed::testing {
namespace {

TEST(AllocationMeter, CountsWhatIsHeldAtOnce) {
  const AllocationMeter meter;
  { const at::Tensor gone = at::empty({1000}, at::kFloat); }
  EXPECT_EQ(meter.peak_bytes(), 4000);
  const at::Tensor one = at::empty({500}, at::kFloat), other = at::empty({700}, at::kFloat);
  EXPECT_EQ(meter.peak_bytes(), 4800);
}

}  // namespace
}  // namespace seedbed::testing
