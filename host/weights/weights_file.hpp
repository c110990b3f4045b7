#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "seedbed/types.hpp"
#include "weights/safetensors.hpp"
#include "weights/weights_format.hpp"

namespace seedbed::weights {

/// A set of tensors in a file that was not the one asked for.
struct OtherSet {
  std::string name;
  std::size_t num_tensors = 0;
};

/// A weights file of any format, and how its tensors were found.
struct WeightsFile {
  WeightsFormat format = WeightsFormat::unknown;
  std::string set;                         ///< which set of tensors this is: "state_dict"; "" = all of the file
  std::string wrapper;                     ///< taken off the front of every name: "module."
  std::vector<OtherSet> other_sets;        ///< EMA copies, the optimiser's
  std::vector<std::string> other_entries;  ///< what holds no tensors: "epoch"
  OrderedTensors tensors;                  ///< as in the file: its types, its order; on a mapping of it where possible
};

struct ReadOptions {
  std::string set;     ///< the tensors to take where a file holds several sets; "" = the model's (tensor_sets.hpp)
  bool widen = false;  ///< half precision becomes float32
};

/// Reads any format that this room reads.
///
/// Ensures: tensors lie on a private mapping of the file, except where it is compressed, unaligned or of another byte
///          order, or where they are widened; beyond the tensors returned, the mapping and what is decompressed, no more
///          than one storage is held at a time.
/// Throws:  UserError naming the file: unreadable, of an unknown format, damaged, hostile, without tensors.
WeightsFile read_weights_file(const std::filesystem::path& file, const ReadOptions& options = {});

/// Half precision of any kind (float16, bfloat16, float8) becomes float32; other types stay.
at::Tensor widened(const at::Tensor& tensor);

/// Compares every checksum that a zip archive holds; other formats have none. Reads the whole file.
/// Returns: how many were compared. Throws: UserError naming the member that differs.
std::size_t check_checksums(const std::filesystem::path& file);

}  // namespace seedbed::weights
