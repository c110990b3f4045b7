#include "worker/tensor_memory.hpp"

#include <atomic>
#include <cstring>

#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

#include "worker/block_range.hpp"

namespace seedbed::worker {
namespace {

constexpr std::size_t kReservedBytes = 1UL << 40;  ///< addresses only: more than any machine's memory
constexpr std::size_t kLeastBytes = 64 << 10;      ///< smaller blocks are the heap's strength

// Neither is ever destroyed: tensors may outlive every static object.
std::atomic<BlockRange*> range = nullptr;

class TensorAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    if (bytes < kLeastBytes) return c10::GetDefaultCPUAllocator()->allocate(bytes);
    void* block = range.load()->take(bytes);
    TORCH_CHECK(block, "out of memory: there are no ", bytes, " bytes more for a tensor");
    return {block, block, &free_block, c10::kCPU};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &free_block; }

  void copy_data(void* destination, const void* source, std::size_t bytes) const override {
    std::memcpy(destination, source, bytes);
  }

 private:
  static void free_block(void* block) {
    if (range.load()->holds(block)) return range.load()->give_back(block);
    c10::GetDefaultCPUAllocator()->raw_deleter()(block);
  }
};

}  // namespace

void keep_tensor_memory() {
#ifndef __SANITIZE_ADDRESS__
  if (range.load()) return;
  auto* reserved = new BlockRange(kReservedBytes);
  if (reserved->is_empty()) {
    delete reserved;
    return;
  }
  range = reserved;
  c10::SetCPUAllocator(new TensorAllocator());
#endif
}

void return_tensor_memory() {
  if (BlockRange* const kept = range.load()) kept->trim();
}

}  // namespace seedbed::worker
