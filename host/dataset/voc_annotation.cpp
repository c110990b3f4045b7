#include "dataset/voc_annotation.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string_view>

#include <pugixml.hpp>

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

class AnnotationReader {
 public:
  explicit AnnotationReader(const std::filesystem::path& file) : file_(file), text_(text_of(file)) {}

  std::vector<VocObject> read() const {
    pugi::xml_document document;
    const pugi::xml_parse_result parsed =
        document.load_buffer(text_.data(), text_.size(), pugi::parse_default | pugi::parse_trim_pcdata);
    if (!parsed) refuse(parsed.offset, std::string("The file is no annotation: ") + parsed.description() + ".");
    const pugi::xml_node root = document.document_element();
    if (std::string_view(root.name()) != "annotation" || root.next_sibling())
      refuse(root.offset_debug(), "The file is no annotation: its root is `" + std::string(root.name()) + "`.");
    std::vector<VocObject> objects;
    for (const pugi::xml_node& node : root.children("object")) objects.push_back(object_from(node));
    return objects;
  }

 private:
  [[noreturn]] void refuse(std::ptrdiff_t offset, const std::string& what) const {
    const auto behind = std::clamp<std::ptrdiff_t>(offset, 0, std::ssize(text_));
    const auto line = 1 + std::count(text_.begin(), text_.begin() + behind, '\n');
    throw UserError(file_.string() + ":" + std::to_string(line), what,
                    "PASCAL VOC's form: `<annotation><object><name>, <bndbox><xmin>, <ymin>, <xmax>, <ymax>`.");
  }

  VocObject object_from(const pugi::xml_node& node) const {
    const std::string name = node.child("name").text().get();
    if (name.empty()) refuse(node.offset_debug(), "An object has no name.");
    const pugi::xml_node box = node.child("bndbox");
    const auto corner = [&](const char* which) { return corner_from(node, box.child(which), which); };
    const VocObject object{name, corner("xmin"), corner("ymin"), corner("xmax"), corner("ymax")};
    if (object.xmax < object.xmin || object.ymax < object.ymin)
      refuse(node.offset_debug(), "The corners of an object make no box: `" + name + "`.");
    return object;
  }

  double corner_from(const pugi::xml_node& object, const pugi::xml_node& node, const char* which) const {
    if (!node) refuse(object.offset_debug(), "The box of an object lacks a corner: `" + std::string(which) + "`.");
    const std::string_view text = node.text().get();
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
      refuse(node.offset_debug(), "A corner of a box is no number: `" + std::string(text) + "`.");
    return value;
  }

  std::filesystem::path file_;
  std::string text_;
};

}  // namespace

std::vector<VocObject> read_voc_annotation(const std::filesystem::path& file) { return AnnotationReader(file).read(); }

}  // namespace seedbed::dataset
