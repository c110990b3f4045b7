#pragma once

#include <cstddef>
#include <functional>

namespace seedbed::evaluation {

/// Computes `count` parts on `threads` threads and hands them on in their order, one at a time.
///
/// `make(i)` computes part i on any thread and returns what joins it to the whole; that is called in order, under a
/// lock. Threads that compute keep LibTorch and OpenMP to themselves.
/// Throws: what the first failing part (in order) threw.
void for_each_in_order(std::size_t count, std::size_t threads,
                       const std::function<std::function<void()>(std::size_t index)>& make);

}  // namespace seedbed::evaluation
