#pragma once

#include <cstdint>
#include <memory>

namespace seedbed::testing {

/// Counts the bytes that tensors of the CPU take on this thread while it lives: what a network holds, to the byte, on any
/// machine and beside any load. The backward pass on the CPU runs on the thread that asks for it, so it is counted, too.
class AllocationMeter {
 public:
  AllocationMeter();
  ~AllocationMeter();
  AllocationMeter(const AllocationMeter&) = delete;
  AllocationMeter& operator=(const AllocationMeter&) = delete;

  /// Most bytes held at once, over what was held at the start.
  std::int64_t peak_bytes() const;

 private:
  struct Counter;
  std::shared_ptr<Counter> counter_;
  struct Scope;
  std::unique_ptr<Scope> scope_;
};

}  // namespace seedbed::testing
