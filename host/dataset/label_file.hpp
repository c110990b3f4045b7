#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "dataset/dataset.hpp"

namespace seedbed::dataset {

/// Labels 1..C of each image, sorted.
using ImageLabels = std::map<std::string, std::vector<std::int64_t>, std::less<>>;

/// Reads lines `ID class class ...` of all the files. `offset` is added to each class, then the class table maps it as it maps a mask's
/// value; what becomes background is dropped. Throws: UserErrors with file and line: an image twice, in whichever files,
/// classes that are not in the table, a file that is no text (NumPy's `.npy`).
ImageLabels read_label_lines(const std::vector<std::filesystem::path>& files, const ClassTable& classes,
                             std::int64_t offset);

/// Reads a table with columns `id` and `labels`: names of classes or numbers as in masks, separated by semicolons.
/// Throws: UserErrors with file and line.
ImageLabels read_label_table(const std::filesystem::path& file, const ClassTable& classes);

}  // namespace seedbed::dataset
