#include "dataset/voc_annotation.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

#include "dataset/csv.hpp"
#include "seedbed/error.hpp"

namespace seedbed::dataset {
namespace {

constexpr std::uintmax_t kMostBytes = 1 << 20;

std::string text_of(const std::filesystem::path& file) {
  std::error_code error;
  if (std::filesystem::file_size(file, error) > kMostBytes && !error)
    throw UserError(file.string(), "An annotation is too large to be one: `" + file.string() + "`.",
                    "PASCAL VOC's have a few thousand bytes.");
  std::string text;
  for (const std::string& line : read_lines(file, "annotation")) text += line + "\n";
  return text;
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlank);
  return begin == std::string_view::npos ? ""
                                         : std::string(text.substr(begin, text.find_last_not_of(kBlank) + 1 - begin));
}

/// Walks through the elements of a file and keeps the text of those that an object is made of.
class AnnotationReader {
 public:
  explicit AnnotationReader(const std::filesystem::path& file) : file_(file), text_(text_of(file)) {}

  std::vector<VocObject> read() {
    while (at_ < text_.size()) text_[at_] == '<' ? read_markup() : read_text();
    if (!path_.empty()) refuse("An element of the annotation has no end: `" + path_.back() + "`.");
    if (!has_root_) refuse("The file is no annotation.");
    return std::move(objects_);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n');
    throw UserError(file_.string() + ":" + std::to_string(line), what,
                    "PASCAL VOC's form: `<annotation><object><name>, <bndbox><xmin>, <ymin>, <xmax>, <ymax>`.");
  }

  // Goes behind `end`, whose markup began at the place that is read.
  void skip_past(std::string_view end) {
    const std::size_t found = text_.find(end, at_);
    if (found == std::string::npos) refuse("Markup of the annotation has no end.");
    at_ = found + end.size();
  }

  void read_markup() {
    const std::string_view rest = std::string_view(text_).substr(at_);
    if (rest.starts_with("<?")) return skip_past("?>");
    if (rest.starts_with("<!--")) return skip_past("-->");
    if (rest.starts_with("<!")) refuse("The annotation holds markup that is not read.");
    const std::size_t begin = at_ + 1;
    skip_past(">");
    std::string_view tag = std::string_view(text_).substr(begin, at_ - 1 - begin);
    if (tag.starts_with('/')) return close(trimmed(tag.substr(1)));
    const bool is_empty = tag.ends_with('/');
    const std::string name(tag.substr(0, tag.find_first_of(" \t\r\n/")));
    open(name);
    if (is_empty) close(name);
  }

  void read_text() {
    const std::size_t end = std::min(text_.find('<', at_), text_.size());
    const std::string text = trimmed(std::string_view(text_).substr(at_, end - at_));
    if (!text.empty()) take(text);
    at_ = end;
  }

  bool is_at(std::initializer_list<std::string_view> path) const {
    return std::equal(path_.begin(), path_.end(), path.begin(), path.end());
  }

  void open(const std::string& name) {
    if (path_.empty() && (name != "annotation" || has_root_)) refuse("The file is no annotation: `" + name + "`.");
    has_root_ = true;
    path_.push_back(name);
    if (is_at({"annotation", "object"})) fields_.clear();
  }

  void close(const std::string& name) {
    if (path_.empty() || path_.back() != name)
      refuse("Tags of the annotation do not match: `" + name + "` closes `" + (path_.empty() ? "" : path_.back()) +
             "`.");
    if (is_at({"annotation", "object"})) finish_object();
    path_.pop_back();
  }

  void take(const std::string& text) {
    if (path_.empty()) refuse("The file is no annotation.");
    const bool of_object = path_.size() == 3 && is_at({"annotation", "object", "name"});
    const bool of_box = path_.size() == 4 && is_at({"annotation", "object", "bndbox", path_.back()});
    if (of_object || of_box) fields_[path_.back()] = with_entities(text);
  }

  std::string with_entities(std::string text) const {
    constexpr std::array<std::pair<std::string_view, char>, 5> kEntities{
        {{"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}, {"&amp;", '&'}}};
    for (std::size_t at = text.find('&'); at != std::string::npos; at = text.find('&', at + 1)) {
      const auto entity = std::ranges::find_if(
          kEntities, [&](const auto& known) { return std::string_view(text).substr(at).starts_with(known.first); });
      if (entity == kEntities.end()) refuse("The annotation holds an entity that is not read: `" + text + "`.");
      text.replace(at, entity->first.size(), 1, entity->second);
    }
    return text;
  }

  double corner(const std::string& name) const {
    const auto field = fields_.find(name);
    if (field == fields_.end()) refuse("The box of an object lacks a corner: `" + name + "`.");
    const std::string& text = field->second;
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
      refuse("A corner of a box is no number: `" + text + "`.");
    return value;
  }

  void finish_object() {
    if (!fields_.contains("name")) refuse("An object has no name.");
    const VocObject object{fields_.at("name"), corner("xmin"), corner("ymin"), corner("xmax"), corner("ymax")};
    if (object.xmax < object.xmin || object.ymax < object.ymin)
      refuse("The corners of an object make no box: `" + object.name + "`.");
    objects_.push_back(object);
  }

  std::filesystem::path file_;
  std::string text_;
  std::size_t at_ = 0;
  std::vector<std::string> path_;  // of elements that are open
  bool has_root_ = false;
  std::map<std::string, std::string> fields_;  // of the object that is read
  std::vector<VocObject> objects_;
};

}  // namespace

std::vector<VocObject> read_voc_annotation(const std::filesystem::path& file) { return AnnotationReader(file).read(); }

}  // namespace seedbed::dataset
