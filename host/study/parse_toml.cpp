#include "study/parse_toml.hpp"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <utility>

#include <toml++/toml.h>

#include "seedbed/error.hpp"

namespace seedbed::study {
namespace {

// A study is some kilobytes. More is another file, and a deep one would exhaust the stack.
constexpr std::size_t kMaximumBytes = 4u << 20;
constexpr std::size_t kMaximumKeyParts = 200;

// Beside letters, what a bare word of a `--set` may begin with and go on with.
constexpr std::string_view kStartsWord = "@/.$";
constexpr std::string_view kGoesOnWord = "_-.:/@${}";

Place place_of(const toml::source_position& at, const std::shared_ptr<const Source>& source) {
  return {source, at.line, at.column};
}

class Converter {
 public:
  explicit Converter(std::shared_ptr<const Source> source) : source_(std::move(source)) {}

  Table table(const toml::table& from) const {
    Table to;
    for (const auto& [key, value] : from) {
      to.push_back({std::string(key.str()), place_of(key.source().begin, source_), node(value)});
    }
    // TOML++ sorts by name; people expect the order of the file.
    std::ranges::stable_sort(to, [](const Member& a, const Member& b) { return a.place < b.place; });
    return to;
  }

 private:
  Node node(const toml::node& from) const {
    Node to{false, place_of(from.source().begin, source_)};
    if (const auto* below = from.as_table()) {
      to.value = table(*below);
    } else if (const auto* list = from.as_array()) {
      Array array;
      for (const toml::node& each : *list) array.push_back(node(each));
      to.value = std::move(array);
    } else {
      set_scalar(to, from);
    }
    return to;
  }

  static void set_scalar(Node& to, const toml::node& from) {
    if (const auto* flag = from.as_boolean()) {
      to.value = flag->get();
    } else if (const auto* integer = from.as_integer()) {
      to.value = integer->get();
    } else if (const auto* number = from.as_floating_point()) {
      to.value = number->get();
    } else if (const auto* text = from.as_string()) {
      to.value = text->get();
    } else {
      std::ostringstream text_of_date;
      from.visit([&](const auto& held) {
        if constexpr (toml::is_chronological<decltype(held)>) text_of_date << held;
      });
      to.value = DateOrTime{text_of_date.str()};
    }
  }

  std::shared_ptr<const Source> source_;
};

// TOML++ nests a table for each part of a dotted key and gives them back by recursion.
void refuse_deep_keys(std::string_view text, const std::shared_ptr<const Source>& source) {
  std::size_t dots = 0;
  std::uint32_t line = 1;
  for (const char c : text) {
    const bool in_key = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.' ||
                        c == ' ' || c == '\t' || c == '"' || c == '\'';
    dots = !in_key ? 0 : dots + (c == '.' ? 1 : 0);
    if (dots > kMaximumKeyParts) {
      throw UserError(Place{source, line, 1}.text(), "a key has too many parts",
                      "accepted: at most " + std::to_string(kMaximumKeyParts));
    }
    line += c == '\n' ? 1 : 0;
  }
}

// What a shell user means by `--set seed_generator.method=drs`.
bool is_bare_word(std::string_view text) {
  const auto is_letter = [](unsigned char c) { return std::isalpha(c) != 0; };
  const auto fits = [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || kGoesOnWord.find(c) != std::string_view::npos;
  };
  return !text.empty() && (is_letter(text.front()) || kStartsWord.find(text.front()) != std::string_view::npos) &&
         std::ranges::all_of(text, fits);
}

bool is_word_of_toml(std::string_view text) {
  return text == "true" || text == "false" || text == "inf" || text == "nan";
}

}  // namespace

Table parse_text(std::string_view text, const std::shared_ptr<const Source>& source) {
  refuse_deep_keys(text, source);
  try {
    return Converter(source).table(toml::parse(text));
  } catch (const toml::parse_error& error) {
    throw UserError(place_of(error.source().begin, source).text(),
                    "this is not TOML: " + std::string(error.description()),
                    "the file is read no further; what else may be wrong shows once this is mended");
  }
}

Table parse_file(const std::filesystem::path& file, const std::string& shown, std::size_t order) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (!std::filesystem::exists(status))
    throw UserError(shown, "this file does not exist", "accepted: a study file (TOML)");
  if (!std::filesystem::is_regular_file(status))
    throw UserError(shown, "this is no file", "accepted: a study file (TOML)");
  if (std::filesystem::file_size(file, error) > kMaximumBytes) {
    throw UserError(shown, "this file is too large for a study", "accepted: at most 4 MiB of TOML");
  }
  std::ifstream stream(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (!stream) throw UserError(shown, "this file cannot be read", "check its permissions");
  const auto folder = std::filesystem::absolute(file).parent_path();
  return parse_text(text, std::make_shared<Source>(Source{shown, folder, order, true}));
}

Table parse_assignment(const std::string& assignment, std::size_t order) {
  const auto source =
      std::make_shared<Source>(Source{"--set " + assignment, std::filesystem::current_path(), order, false});
  const auto equals = assignment.find('=');
  if (equals == std::string::npos || assignment.find('#') < equals || assignment.find('\n') != std::string::npos) {
    throw UserError(source->name, "a setting is a key and a value", "accepted: `--set seed_generator.delta=0.5`");
  }
  const std::string value = assignment.substr(equals + 1);
  const bool is_word = is_bare_word(value) && !is_word_of_toml(value);
  try {
    return parse_text(assignment.substr(0, equals + 1) + (is_word ? "\"" + value + "\"" : value), source);
  } catch (const UserError& error) {
    throw UserError(source->name, error.message(), "the value is TOML: `0.5`, `true`, `[1.0, 2.0]`, `\"a text\"`");
  }
}

std::vector<std::string> key_parts(std::string_view dotted, const Place& place) {
  std::vector<std::string> parts{""};
  for (const char c : dotted) {
    if (c == '.') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  const bool has_empty = std::ranges::any_of(parts, [](const std::string& part) { return part.empty(); });
  if (has_empty || parts.size() > kMaximumKeyParts) {
    throw UserError(place.text(), "this is no key: `" + std::string(dotted) + "`",
                    "accepted: names joined by dots, such as `refiner.crf.iterations`");
  }
  return parts;
}

}  // namespace seedbed::study
