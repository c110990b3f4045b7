#include "evaluation/in_order.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <c10/core/GradMode.h>
#include <omp.h>

namespace seedbed::evaluation {
namespace {

class Ordered {
 public:
  Ordered(std::size_t count, const std::function<std::function<void()>(std::size_t)>& make)
      : make_(make), failed_at_(count) {}

  void work() {
    ::omp_set_num_threads(1);
    const c10::NoGradGuard no_gradient;
    // Parts before a failing one are still made, so that which failure is told does not depend on the threads.
    for (std::size_t index = next_++; index < failed_at_; index = next_++) {
      try {
        join(index, make_(index));
      } catch (...) {
        fail(index, std::current_exception());
      }
    }
  }

  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void join(std::size_t index, std::function<void()> part) {
    const std::lock_guard<std::mutex> lock(mutex_);
    waiting_.emplace(index, std::move(part));
    for (auto first = waiting_.begin(); first != waiting_.end() && first->first == joined_; first = waiting_.begin()) {
      first->second();
      waiting_.erase(first);
      ++joined_;
    }
  }

  void fail(std::size_t index, std::exception_ptr failure) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (index >= failed_at_) return;
    failure_ = std::move(failure);
    failed_at_ = index;
  }

  const std::function<std::function<void()>(std::size_t)>& make_;
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  std::map<std::size_t, std::function<void()>> waiting_;
  std::size_t joined_ = 0;
  std::exception_ptr failure_;
  std::atomic<std::size_t> failed_at_;  ///< the first part that failed; the number of parts where none has
};

}  // namespace

void for_each_in_order(std::size_t count, std::size_t threads,
                       const std::function<std::function<void()>(std::size_t index)>& make) {
  Ordered ordered(count, make);
  std::vector<std::jthread> workers;
  for (std::size_t i = 0; i < std::min(std::max<std::size_t>(1, threads), count); ++i)
    workers.emplace_back([&] { ordered.work(); });
  workers.clear();  // waits
  ordered.rethrow();
}

}  // namespace seedbed::evaluation
