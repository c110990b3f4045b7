#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataset/dataset.hpp"
#include "seedbed/error.hpp"

// `roles = { train = "train_aug", select = "train:5-per-class" }`: texts to lists of images.
namespace seedbed::dataset {

/// What of a list a role takes.
enum class Part {
  all,       ///< LIST
  range,     ///< LIST:A..B     images A to B - 1, counted from 0
  share,     ///< LIST:A%..B%   the same in hundredths of the list
  first,     ///< LIST:N        the first N
  per_class  ///< LIST:N-per-class   the first N images of each class
};

struct RoleText {
  std::string list;
  Part part = Part::all;
  std::int64_t begin = 0;
  std::int64_t end = 0;  ///< of ranges; N of `first` and `per_class`

  bool operator==(const RoleText&) const = default;
};

/// Throws: UserError at `where`.
RoleText role_text_from(std::string_view text, const std::string& where);

/// What a kind of data set knows about its images.
struct RoleSource {
  /// Ids of a list. Throws: UserError at `where`.
  std::function<std::vector<std::string>(const std::string& list, const std::string& where)> image_ids;
  /// nullopt where only the decoded mask tells.
  std::function<std::optional<std::vector<std::int64_t>>(const std::string& image_id)> labels;
  bool every_image_has_class = false;  ///< then `labels` is asked only where a role is chosen by classes
};

/// Names that a role may have.
const std::vector<std::string>& role_names();

/// Resolves every role of the table: parts of lists, images without a class out of `train`, images of `select` out of
/// every other role but `train`, then the first `images_limit` of each (0 = all). Problems are appended.
std::vector<Role> resolve_roles(const Json& roles, const RoleSource& source, std::int64_t images_limit,
                                std::vector<UserError>& problems);

}  // namespace seedbed::dataset
