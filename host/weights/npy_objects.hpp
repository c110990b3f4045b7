#pragma once

#include <string>

#include "weights/pytorch_files.hpp"

namespace seedbed::weights {

/// Whether a `.npy` file holds Python objects, as numpy.save writes for a dictionary. Throws: UserError.
bool is_npy_of_objects(const ByteBlock& file, const std::string& where);

/// Requires: is_npy_of_objects(). Throws: UserError.
PickledObject read_npy_of_objects(const ByteBlock& file, const std::string& where);

}  // namespace seedbed::weights
