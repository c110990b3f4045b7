#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace seedbed::dataset {

/// The image ids of a list, one a line. A line may also be a path or a pair of paths (`/JPEGImages/X.jpg /Masks/X.png`):
/// the first one's stem is the id; or an id and numbers of classes, as label files have them, which are not read here.
/// Blank lines are skipped.
/// Throws: UserErrors with file and line: a repeated image, a line of another form, an empty list.
std::vector<std::string> read_image_list(const std::filesystem::path& file);

/// `folder`/NAME.txt. Throws: UserError at `where` with the nearest list where there is none.
std::filesystem::path find_image_list(const std::filesystem::path& folder, const std::string& name,
                                      const std::string& where);

}  // namespace seedbed::dataset
