#pragma once

#include <functional>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "seedbed/error.hpp"

namespace seedbed::weights::testing {

/// Everything that a UserError says, or "" where `act` throws none. Other exceptions pass.
inline std::string user_error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const UserError& error) {
    return error.where() + "|" + error.message() + "|" + error.hint();
  }
  return {};
}

}  // namespace seedbed::weights::testing
