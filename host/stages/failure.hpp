#pragma once

#include <exception>
#include <string>

#include "protocol/stage.hpp"

namespace seedbed::stages {

/// Why a stage did not end well, in the words that reach the store.
struct Failure {
  protocol::StageState state = protocol::StageState::failed;
  protocol::Cause cause = protocol::Cause::internal;
  std::string message;  ///< one line, no backtrace
  std::string hint;
  std::string detail;  ///< everything there is to know, for the log
};

/// The one seam where exceptions of LibTorch, OpenCV, the allocator and plugins become causes.
/// `who` is to blame for what does not say so itself: a method's id, or an operation.
Failure describe_failure(const std::exception_ptr& error, const std::string& who);

}  // namespace seedbed::stages
