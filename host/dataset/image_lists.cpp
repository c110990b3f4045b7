#include "dataset/image_lists.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "dataset/csv.hpp"
#include "dataset/table_reader.hpp"
#include "seedbed/error.hpp"

namespace seedbed::dataset {
namespace {

bool is_path(const std::string& word) { return word.find('/') != std::string::npos; }

bool is_class(const std::string& word) {
  const auto number = whole_number(word);
  return number && *number >= 0;
}

// nullopt for a line of another form, e.g. the `ID -1` of VOC's lists by class.
std::optional<std::string> id_of(const std::vector<std::string>& words) {
  if (!is_path(words.front()) && std::all_of(words.begin() + 1, words.end(), is_class)) return words.front();
  if (words.size() <= 2 && std::ranges::all_of(words, is_path))
    return std::filesystem::path(words.front()).stem().string();
  return std::nullopt;
}

}  // namespace

std::vector<std::string> read_image_list(const std::filesystem::path& file) {
  std::vector<std::string> ids;
  std::vector<UserError> problems;
  std::map<std::string, std::int64_t> line_of;
  std::int64_t number = 0;
  for (const std::string& line : read_lines(file, "list of images")) {
    ++number;
    const std::string where = file.string() + ":" + std::to_string(number);
    const std::vector<std::string> words = words_of(line);
    if (words.empty()) continue;
    const auto id = id_of(words);
    if (!id) {
      problems.emplace_back(where, "A line of a list is no image: `" + line + "`.",
                            "Each line is one image id, alone or before the numbers of its classes.");
    } else if (const auto [known, is_new] = line_of.emplace(*id, number); !is_new) {
      problems.emplace_back(where, "A list names an image twice: `" + *id + "`.",
                            "It stands in line " + std::to_string(known->second) + " already.");
    } else {
      ids.push_back(*id);
    }
  }
  if (ids.empty() && problems.empty())
    problems.emplace_back(file.string(), "A list of images is empty.", "Each line is one image id.");
  throw_if_any(std::move(problems));
  return ids;
}

std::filesystem::path find_image_list(const std::filesystem::path& folder, const std::string& name,
                                      const std::string& where) {
  std::error_code error;
  std::filesystem::path file = folder / (name + ".txt");
  if (std::filesystem::is_regular_file(file, error)) return file;
  std::vector<std::string> known;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().extension() == ".txt") known.push_back(entry.path().stem().string());
  std::ranges::sort(known);
  throw UserError(where, "There is no such list of images: `" + file.string() + "`.",
                  did_you_mean(name, known) +
                      (known.empty() ? "The folder holds no list." : "Lists: " + quoted_list(known) + ".") +
                      " Key `lists` names the folder, which may be that of a published protocol.");
}

}  // namespace seedbed::dataset
