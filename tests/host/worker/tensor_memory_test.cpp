#include "worker/tensor_memory.hpp"

#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

namespace seedbed::worker {
namespace {

// One process, one allocator: the cases share it, and tensors made before it was there die after.
TEST(TensorMemory, ServesTensorsOfAnySizeAndAge) {
  std::vector<at::Tensor> older{at::ones({1 << 20}), at::ones({4})};
  keep_tensor_memory();
  keep_tensor_memory();  // once more changes nothing
  std::vector<at::Tensor> newer;
  for (const std::int64_t size : {0, 1, 1000, 16384, 1 << 22}) newer.push_back(at::full({size}, 2.0, at::kFloat));
  for (const at::Tensor& tensor : newer) EXPECT_TRUE(tensor.eq(2).all().item<bool>());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(newer.back().data_ptr()) % 64, 0U);
  older.clear();  // from LibTorch's own allocator, to which it goes back
  newer.back().resize_({1 << 23}).fill_(2);
  const void* freed = at::empty({1 << 23}).data_ptr();
#ifndef __SANITIZE_ADDRESS__
  EXPECT_EQ(at::empty({1 << 23}).data_ptr(), freed) << "freed memory was not used again";
#endif
  return_tensor_memory();
  EXPECT_TRUE(newer.back().eq(2).all().item<bool>());
  EXPECT_EQ(at::ones({1 << 20}).sum().item<double>(), 1 << 20);
}

TEST(TensorMemory, SaysThatMemoryIsOut) {
  keep_tensor_memory();
  try {
    at::empty({std::int64_t{1} << 39});
    FAIL() << "2 TB were had";
  } catch (const c10::Error& error) {
    EXPECT_THAT(error.what_without_backtrace(), ::testing::HasSubstr("memory"));
  }
}

}  // namespace
}  // namespace seedbed::worker
