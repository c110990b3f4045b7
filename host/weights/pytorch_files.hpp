#pragma once

#include <memory>
#include <string>

#include "weights/byte_block.hpp"
#include "weights/pickle_tree.hpp"
#include "weights/zip_archive.hpp"

namespace seedbed::weights {

/// The object that a file holds, as data.
struct PickledObject {
  std::shared_ptr<pickle::Tree> tree;
  pickle::Node* root = nullptr;  ///< owned by the tree
};

/// Whether the archive is TorchScript's: its tensors are read, its code is not.
bool is_torchscript(const ZipArchive& archive);

/// What `torch.save` since 1.6 and `torch.jit.save` write. Throws: UserError.
PickledObject read_pytorch_zip(const ZipArchive& archive);

/// What `torch.save` wrote before 1.6.
bool is_pytorch_legacy(const ByteBlock& file);

/// Throws: UserError.
PickledObject read_pytorch_legacy(const ByteBlock& file, const std::string& where);

/// A pickle without PyTorch's tensors: NumPy arrays, containers. Throws: UserError.
PickledObject read_plain_pickle(const ByteBlock& file, const std::string& where);

}  // namespace seedbed::weights
