#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "weights/safetensors.hpp"

namespace seedbed::evaluation {

enum class Holds { labels, scores };

/// Where one image's result lies.
struct ResultPlace {
  std::filesystem::path file;
  std::string tensor;                                    ///< of a safetensors file; "" elsewhere
  std::shared_ptr<const weights::SafetensorsFile> open;  ///< that file
  std::vector<std::int64_t> planes;                      ///< of scores, where the file says them
  bool may_be_resized = false;                           ///< the file says that its maps are on a coarser grid

  /// For messages: the file, and the tensor in it.
  std::string where() const { return tensor.empty() ? file.string() : file.string() + " (" + tensor + ")"; }
};

/// Results by image id. See README.md for the layouts.
using ResultFolder = std::map<std::string, ResultPlace, std::less<>>;

/// Throws: UserError for a folder that is missing or holds no result, and for two results of one image.
ResultFolder open_result_folder(const std::filesystem::path& folder, Holds holds);

}  // namespace seedbed::evaluation
