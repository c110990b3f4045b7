#include "worker/process_setup.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>

#include <malloc.h>
#include <omp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <opencv2/core.hpp>

#include "worker/tensor_memory.hpp"

namespace seedbed::worker {

bool die_with_parent(int channel) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the signal was asked for. Its id need not differ from 1 (in a container).
  ucred maker{};
  socklen_t size = sizeof maker;
  return ::getsockopt(channel, SOL_SOCKET, SO_PEERCRED, &maker, &size) == 0 && maker.pid == ::getppid();
}

void keep_freed_memory() {
  constexpr int kTopPadBytes = 64 << 20;
  constexpr int kLargeBytes = 32 << 20;  ///< the largest threshold that the allocator takes
  ::mallopt(M_MMAP_THRESHOLD, kLargeBytes);
  ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  ::mallopt(M_TOP_PAD, kTopPadBytes);
  keep_tensor_memory();
}

void return_freed_memory() {
  return_tensor_memory();
  ::malloc_trim(0);
}

void set_threads(std::int64_t threads) {
  static const bool once = [] {
    at::set_num_interop_threads(1);
    return true;
  }();
  static_cast<void>(once);
  const int count = static_cast<int>(threads);
  at::set_num_threads(count);
  ::omp_set_num_threads(count);
  cv::setNumThreads(count);
}

void set_determinism(bool on) {
  at::globalContext().setDeterministicAlgorithms(on, /*warn_only=*/false);
  // Filling fresh memory finds reads of what was never written; it changes no result and costs time.
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  at::globalContext().setDeterministicCuDNN(on);
  if (on) at::globalContext().setBenchmarkCuDNN(false);
}

void limit_memory(std::int64_t bytes) {
  rlimit limit{};
  ::getrlimit(RLIMIT_DATA, &limit);
  limit.rlim_cur = bytes > 0 ? std::min(static_cast<rlim_t>(bytes), limit.rlim_max) : limit.rlim_max;
  ::setrlimit(RLIMIT_DATA, &limit);
}

void reset_peak_memory() {
  constexpr const char* kResetPeak = "5";
  std::ofstream("/proc/self/clear_refs") << kResetPeak;
}

std::int64_t peak_memory_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
  }
  return 0;
}

void leave(int status) {
  std::fflush(nullptr);
  std::_Exit(status);
}

}  // namespace seedbed::worker
