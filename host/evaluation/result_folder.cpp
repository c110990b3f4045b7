#include "evaluation/result_folder.hpp"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "seedbed/error.hpp"

namespace seedbed::evaluation {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kHint =
    "Labels are PNG, NPY or safetensors files, scores NPY or safetensors files, named by image.";

bool is_read(const fs::path& file, Holds holds) {
  const std::string ending = file.extension().string();
  return ending == ".npy" || ending == ".safetensors" || (ending == ".png" && holds == Holds::labels);
}

void add(ResultFolder& results, const std::string& id, ResultPlace place) {
  const auto [found, is_new] = results.try_emplace(id, place);
  if (is_new) return;
  throw UserError(place.where(),
                  "There are two results of the image `" + id + "`: also `" + found->second.where() + "`.",
                  "One result an image is scored.");
}

// What Seedbed's own maps say of themselves; null in other files.
Json own_description(const weights::SafetensorsFile& file) {
  const auto found = file.metadata().find("seedbed");
  if (found == file.metadata().end()) return {};
  const Json header = Json::parse(found->second, nullptr, false);
  return header.is_object() && header.contains("images") && header.at("images").is_object() ? header.at("images")
                                                                                            : Json();
}

void add_own(const std::shared_ptr<const weights::SafetensorsFile>& file, const Json& images, ResultFolder& results) {
  for (const auto& [id, description] : images.items()) {
    ResultPlace place{file->path(), id, file, {}, true};
    if (description.is_object() && description.contains("planes"))
      place.planes = description.at("planes").get<std::vector<std::int64_t>>();
    add(results, id, std::move(place));
  }
}

void add_safetensors(const fs::path& path, Holds holds, ResultFolder& results) {
  const auto file = weights::SafetensorsFile::open(path);
  const std::string of_one = holds == Holds::labels ? "labels" : "scores";
  if (const Json own = own_description(*file); !own.is_null()) return add_own(file, own, results);
  if (!file->contains(of_one)) {
    for (const weights::TensorEntry& entry : file->entries())
      add(results, entry.name, {path, entry.name, file, {}, false});
    return;
  }
  ResultPlace place{path, of_one, file, {}, false};
  if (file->contains("keys")) {
    const at::Tensor keys = file->tensor("keys").to(at::kLong).contiguous();
    const auto* key = keys.const_data_ptr<std::int64_t>();
    place.planes.assign(key, key + keys.numel());
  }
  add(results, path.stem().string(), std::move(place));
}

}  // namespace

ResultFolder open_result_folder(const fs::path& folder, Holds holds) {
  std::error_code error;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (is_read(entry.path(), holds)) files.push_back(entry.path());
  if (error) throw UserError(folder.string(), "The folder cannot be read: `" + error.message() + "`.", kHint);
  if (files.empty())
    throw UserError(folder.string(),
                    holds == Holds::labels ? "The folder holds no label maps." : "The folder holds no score maps.",
                    kHint);
  std::ranges::sort(files);
  ResultFolder results;
  for (const fs::path& file : files) {
    if (file.extension() == ".safetensors") {
      add_safetensors(file, holds, results);
    } else {
      add(results, file.stem().string(), {file, "", nullptr, {}, false});
    }
  }
  return results;
}

}  // namespace seedbed::evaluation
