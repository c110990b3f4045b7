#pragma once

#include <string>

#include <gmock/gmock.h>

#include "seedbed/error.hpp"

namespace seedbed::store::test {

/// What `statement` throws as a UserError: "where: message (hint)"; "" where it throws none.
template <typename Statement>
std::string user_error(const Statement& statement) {
  try {
    statement();
  } catch (const UserError& error) {
    return error.where() + ": " + error.message() + " (" + error.hint() + ")";
  }
  return "";
}

/// What `statement` throws as a ContractError: "promise: found"; "" where it throws none.
template <typename Statement>
std::string contract_error(const Statement& statement) {
  try {
    statement();
  } catch (const ContractError& error) {
    return error.promise() + ": " + error.found();
  }
  return "";
}

}  // namespace seedbed::store::test
