#include "expected_words.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace seedbed::study {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = SEEDBED_BROKEN_STUDIES;

std::string without_folder(std::string text) {
  const std::string folder = kFolder.string() + "/";
  for (std::size_t at = text.find(folder); at != std::string::npos; at = text.find(folder))
    text.erase(at, folder.size());
  return text;
}

std::string beginning(const std::string& hint) {
  const std::string start = hint.substr(0, hint.find("accepted: `"));
  return start.ends_with("; ") ? start.substr(0, start.size() - 2) : start;
}

}  // namespace

std::vector<std::string> broken_studies() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

fs::path broken_study(const std::string& name) { return kFolder / (name + ".toml"); }

std::string expected_words(const std::string& name) {
  std::ifstream stream(kFolder / (name + ".expected"));
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

std::string words_of(const UserError& error) {
  const std::string hint = beginning(error.hint());
  return without_folder(error.where() + ": " + error.message() + "\n" + (hint.empty() ? "" : "  " + hint + "\n"));
}

}  // namespace seedbed::study
