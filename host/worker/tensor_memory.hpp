#pragma once

namespace seedbed::worker {

/// From now on CPU tensors of 64 KB and more lie in one range of addresses (BlockRange, which says how much of their freed
/// memory is kept). Smaller ones, and any where the system grants no such range, come from LibTorch's own allocator.
/// Nothing happens under AddressSanitizer, which watches each block of the heap.
///
/// Requires: no other thread computes. Calls beyond the first do nothing.
/// Throws from then on, within LibTorch: an error that says "out of memory", where the system gives no more.
void keep_tensor_memory();

/// Gives what keep_tensor_memory() keeps back to the system.
void return_tensor_memory();

}  // namespace seedbed::worker
