#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "weights/pytorch_files.hpp"
#include "weights/refusal.hpp"
#include "weights/unpickler.hpp"

namespace seedbed::weights {
namespace {

// Every member lies in one folder; its name is whatever the file was called when it was written.
std::string root_folder(const ZipArchive& archive) {
  if (archive.members().empty()) refuse(archive.where(), "The archive is empty.");
  const std::string& name = archive.members().front().name;
  return name.substr(0, name.find('/') + 1);
}

bool any_ends_with(const ZipArchive& archive, std::string_view ending) {
  const auto& members = archive.members();
  return std::any_of(members.begin(), members.end(), [&](const ZipMember& m) { return m.name.ends_with(ending); });
}

const ZipMember& find_pickle(const ZipArchive& archive, const std::string& root) {
  if (const ZipMember* member = archive.find(root + "data.pkl")) return *member;
  const std::string& where = archive.where();
  if (any_ends_with(archive, "model.json")) {
    refuse(where, "The TorchScript archive is of a form older than PyTorch 1.4, which is not read.",
           "in PyTorch 1.4 or later, load it and save it again");
  }
  if (any_ends_with(archive, ".npy")) {
    refuse(where, "The file is a NumPy archive (.npz), which is not read.", "accepted: .npy, safetensors, torch.save");
  }
  refuse(where, "The zip archive is no PyTorch file: it has no `data.pkl`.");
}

// The storages of an archive: one member each.
class ArchiveStorages {
 public:
  ArchiveStorages(const ZipArchive& archive, const std::string& root) : archive_(archive), folder_(root + "data/") {
    if (const ZipMember* order = archive.find(root + "byteorder")) {
      foreign_byte_order_ = archive.read_checked(*order).text() == "big";
    }
  }

  StorageSpan find(const pickle::StorageReference& reference) {
    std::shared_ptr<StorageRecord>& storage = storages_[reference.key];
    if (!storage) storage = read(reference.key);
    if (storage->num_bytes < reference.num_bytes) {
      refuse(archive_.where(),
             "The archive is damaged: a storage has too few bytes: " + in_backticks(reference.key) + ".");
    }
    return {storage, reference.type, reference.view_offset, reference.view_elements};
  }

 private:
  std::shared_ptr<StorageRecord> read(const std::string& key) const {
    const ZipMember* member = archive_.find(folder_ + key);
    if (!member) refuse(archive_.where(), "The archive is damaged: a storage is missing: " + in_backticks(key) + ".");
    auto storage = std::make_shared<StorageRecord>();
    storage->key = key;
    storage->data = archive_.read(*member);
    storage->num_bytes = storage->data.size();
    storage->foreign_byte_order = foreign_byte_order_;
    return storage;
  }

  const ZipArchive& archive_;
  std::string folder_;
  bool foreign_byte_order_ = false;
  std::map<std::string, std::shared_ptr<StorageRecord>, std::less<>> storages_;
};

}  // namespace

bool is_torchscript(const ZipArchive& archive) {
  return archive.find(root_folder(archive) + "constants.pkl") != nullptr;
}

PickledObject read_pytorch_zip(const ZipArchive& archive) {
  const std::string root = root_folder(archive);
  const ByteBlock source = archive.read_checked(find_pickle(archive, root));
  const auto tree = std::make_shared<pickle::Tree>(source, archive.where());
  ArchiveStorages storages(archive, root);
  pickle::Unpickler unpickler(*tree, 0, [&](const auto& reference) { return storages.find(reference); });
  return {tree, unpickler.read()};
}

}  // namespace seedbed::weights
