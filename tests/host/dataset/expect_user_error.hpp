#pragma once

#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "seedbed/error.hpp"

namespace seedbed::testing {

/// "WHERE: MESSAGE HINT" of each error that `call` throws, in order; empty where it throws none.
template <typename Call>
std::vector<std::string> errors_of(const Call& call) {
  const auto text = [](const UserError& error) { return error.where() + ": " + error.message() + " " + error.hint(); };
  try {
    call();
  } catch (const UserErrors& errors) {
    std::vector<std::string> texts;
    for (const UserError& error : errors.errors()) texts.push_back(text(error));
    return texts;
  } catch (const UserError& error) {
    return {text(error)};
  }
  return {};
}

}  // namespace seedbed::testing
