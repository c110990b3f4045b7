#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace seedbed::dataset {

/// An object as PASCAL VOC's annotations name it, its corners in the file's numbers: pixels are counted from 1, and both
/// corners lie in the box.
struct VocObject {
  std::string name;
  double xmin = 0;
  double ymin = 0;
  double xmax = 0;
  double ymax = 0;
};

/// The `object`s of a file `Annotations/ID.xml`, in its order, difficult and truncated ones too; their `part`s are left
/// out. No file above 1 MiB.
/// Throws: UserError with file and line: no such file, no XML, another root than `annotation`, an object without a name or
/// with corners that are missing, no numbers or no box.
std::vector<VocObject> read_voc_annotation(const std::filesystem::path& file);

}  // namespace seedbed::dataset
