#pragma once

#include <csignal>

namespace seedbed::run {

/// Turns SIGINT and SIGTERM into bytes on a descriptor for as long as it lives, and puts the old handling back.
/// Main thread only.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  int descriptor() const { return descriptor_; }

  /// How many signals have come since the last call.
  int take();

 private:
  int descriptor_ = -1;
  sigset_t previous_;
};

}  // namespace seedbed::run
