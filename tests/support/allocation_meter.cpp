#include "support/allocation_meter.hpp"

#include <algorithm>

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

namespace seedbed::testing {

struct AllocationMeter::Counter : c10::MemoryReportingInfoBase {
  void reportMemoryUsage(void*, std::int64_t size, std::size_t, std::size_t, c10::Device) override {
    held += size;
    peak = std::max(peak, held);
  }
  bool memoryProfilingEnabled() const override { return true; }

  std::int64_t held = 0;
  std::int64_t peak = 0;
};

struct AllocationMeter::Scope {
  c10::DebugInfoGuard guard;
};

AllocationMeter::AllocationMeter() : counter_(std::make_shared<Counter>()) {
  scope_.reset(new Scope{c10::DebugInfoGuard(c10::DebugInfoKind::PROFILER_STATE, counter_)});
}

AllocationMeter::~AllocationMeter() = default;

std::int64_t AllocationMeter::peak_bytes() const { return counter_->peak; }

}  // namespace seedbed::testing
