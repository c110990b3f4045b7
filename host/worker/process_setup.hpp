#pragma once

#include <cstdint>

namespace seedbed::worker {

/// Makes this process die with its parent; the first thing that it does. `channel` is the socket pair that the parent
/// made: it tells whether the parent is still there. Returns false where it is gone already.
bool die_with_parent(int channel);

/// Keeps freed memory mapped: returning it to the system costs a page fault at each reuse, a fifth of inference time.
/// Tensors: keep_tensor_memory(), which says how much; of the rest, blocks below 32 MB.
void keep_freed_memory();

/// Gives back what keep_freed_memory() kept: between groups, which may differ widely in size.
void return_freed_memory();

/// The one place where threads are budgeted: LibTorch, OpenMP and OpenCV. Between-operator threads are set on the first
/// call and stay 1. Requires: called on the thread that computes.
void set_threads(std::int64_t threads);

/// Whether LibTorch refuses operations whose result may differ from run to run.
void set_determinism(bool on);

/// Soft limit of the data segment: beyond it LibTorch throws an allocation error that can be caught. 0 = none.
void limit_memory(std::int64_t bytes);

/// Starts a new measurement of the peak, where the system allows it.
void reset_peak_memory();

/// Largest resident size since the last reset (or the start).
std::int64_t peak_memory_bytes();

/// Ends the process now, without destructors: LibTorch's and plugins' may run after what they need is gone.
[[noreturn]] void leave(int status);

}  // namespace seedbed::worker
