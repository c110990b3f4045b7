#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include <gtest/gtest.h>

namespace seedbed::testing {

/// The folder of shared test material (goldens, real images and weights): SEEDBED_SHARED, else `shared` beside the
/// tree; nullopt where there is none.
std::optional<std::filesystem::path> shared_folder();

/// `shared_folder()/path` where that exists.
std::optional<std::filesystem::path> shared_path(std::string_view path);

}  // namespace seedbed::testing

/// Declares `variable` as the shared file or folder `place`, or skips the test and says why.
#define SEEDBED_SHARED_OR_SKIP(variable, place)                                                                      \
  const auto variable##_if_there = ::seedbed::testing::shared_path(place);                                           \
  if (!variable##_if_there) GTEST_SKIP() << "no `" << (place) << "` in the shared folder (SEEDBED_SHARED names it)"; \
  const std::filesystem::path& variable = *variable##_if_there
