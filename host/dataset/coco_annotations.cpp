#include "dataset/coco_annotations.hpp"

#include <mutex>
#include <system_error>
#include <utility>

#include "dataset/coco_reader.hpp"
#include "dataset/file_characters.hpp"

namespace seedbed::dataset {
namespace {

// What tells one state of a file from another.
std::string state_of(const std::filesystem::path& file) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  const auto time = std::filesystem::last_write_time(file, error);
  return file.string() + " " + std::to_string(size) + " " + std::to_string(time.time_since_epoch().count());
}

std::shared_ptr<const CocoAnnotations> read_anew(const std::filesystem::path& file) {
  FileCharacters characters(file);
  CocoReader reader(file);
  nlohmann::json::sax_parse(characters.begin(), FileCharacters::end(), &reader);
  return reader.take();
}

}  // namespace

std::shared_ptr<const CocoAnnotations> CocoAnnotations::read(const std::filesystem::path& file) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<const CocoAnnotations>> known;
  const std::lock_guard lock(mutex);
  std::weak_ptr<const CocoAnnotations>& entry = known[state_of(file)];
  if (auto held = entry.lock()) return held;
  auto annotations = read_anew(file);
  entry = annotations;
  return annotations;
}

const CocoImage* CocoAnnotations::find(std::string_view image_name) const {
  const auto found = image_of_name_.find(image_name);
  return found == image_of_name_.end() ? nullptr : &images_[found->second];
}

}  // namespace seedbed::dataset
