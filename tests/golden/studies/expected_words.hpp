#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "seedbed/error.hpp"

// The broken studies of this folder and what is said of each: one line a mistake, and below it, indented, how its hint
// begins.
namespace seedbed::study {

/// NN-what of every study, sorted.
std::vector<std::string> broken_studies();

std::filesystem::path broken_study(const std::string& name);

std::string expected_words(const std::string& name);

/// `error` as the expected files have it: without this folder's path, the hint up to what grows with every new method.
std::string words_of(const UserError& error);

}  // namespace seedbed::study
