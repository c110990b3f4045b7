#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "seedbed/export.hpp"

namespace seedbed {

/// Something a person can mend in a file, a flag or their data. The host exits with status 2.
///
/// `what` is one static sentence followed by the run-time values in backticks; `where` names the file, line and
/// column, the flag or the artefact ("" where there is none); `hint` says what would be accepted.
class SEEDBED_API UserError : public std::runtime_error {
 public:
  UserError(std::string where, std::string what, std::string hint = {});
  ~UserError() override;

  const std::string& where() const noexcept { return where_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& hint() const noexcept { return hint_; }

 private:
  std::string where_;
  std::string message_;
  std::string hint_;
};

/// Several user errors found in one pass, e.g. everything that is wrong in one study file.
class SEEDBED_API UserErrors : public UserError {
 public:
  /// Requires: at least one error.
  explicit UserErrors(std::vector<UserError> errors);
  ~UserErrors() override;

  const std::vector<UserError>& errors() const noexcept { return errors_; }

 private:
  std::vector<UserError> errors_;
};

/// Code broke a promise: a plugin returned what its contract forbids, or the host handed out what it must not. The
/// stage fails, the study goes on, and the program ends with status 3.
class SEEDBED_API ContractError : public std::logic_error {
 public:
  ContractError(std::string who, std::string promise, std::string expected, std::string found);
  ~ContractError() override;

  const std::string& who() const noexcept { return who_; }
  const std::string& promise() const noexcept { return promise_; }
  const std::string& expected() const noexcept { return expected_; }
  const std::string& found() const noexcept { return found_; }

 private:
  std::string who_;
  std::string promise_;
  std::string expected_;
  std::string found_;
};

/// The work was asked to stop (RunContext::check_cancelled). Not a failure: the stage becomes `interrupted`.
class SEEDBED_API Cancelled : public std::runtime_error {
 public:
  Cancelled();
  ~Cancelled() override;
};

/// The candidate nearest to `name` by edit distance, or "" if none is near enough to be a likely slip.
/// Ties go to the candidate listed first. Threads: [any-thread].
SEEDBED_API std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace seedbed
