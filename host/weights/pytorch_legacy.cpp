#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "weights/bounded_reader.hpp"
#include "weights/pytorch_files.hpp"
#include "weights/refusal.hpp"
#include "weights/unpickler.hpp"

// The format: five pickles (magic number, version, the writer's machine, the object, the keys of its storages), then
// each storage as its number of elements and their bytes (torch/serialization.py, _legacy_save).
namespace seedbed::weights {
namespace {

constexpr std::string_view kMagicNumber("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
constexpr std::int64_t kVersion = 1001;

struct Promised {
  std::shared_ptr<StorageRecord> storage;
  std::int64_t num_elements = 0;
};

class LegacyFile {
 public:
  LegacyFile(const ByteBlock& file, const std::string& where)
      : where_(where),
        tree_(std::make_shared<pickle::Tree>(file, where)),
        unpickler_(*tree_, 0, [this](const auto& reference) { return promise(reference); }) {}

  PickledObject read() {
    const auto* magic = unpickler_.read()->get<pickle::BigInteger>();
    if (!magic || magic->written != kMagicNumber) refuse(where_, "The file is no PyTorch file.");
    const auto* version = unpickler_.read()->get<std::int64_t>();
    if (!version || *version != kVersion)
      refuse(where_, "The file is of an unknown version of PyTorch's legacy format.");
    read_machine(*unpickler_.read());
    pickle::Node* const root = unpickler_.read();
    const pickle::Node* const keys = unpickler_.read();
    const auto* list = keys->get<pickle::Sequence>();
    if (!list) refuse_damaged("the list of its storages is missing");
    data_ = aligned_data(unpickler_.position());
    BoundedReader reader(data_.text(), where_, "tensor data");
    for (const pickle::Node* key : list->items) read_storage(pickle::key_text(*key), reader);
    return {tree_, root};
  }

 private:
  [[noreturn]] void refuse_damaged(const std::string& what) const {
    refuse(where_, "The file is cut short or damaged: " + what + ".");
  }

  // The data lie behind pickles of any length. Where that leaves their numbers unaligned they are copied, all at once:
  // storage by storage it takes twice the time. But numbers of two bytes are widened later, and by then the copy of one
  // storage can be gone, while that of all of them cannot.
  ByteBlock aligned_data(std::size_t begin) const {
    const ByteBlock data = tree_->source().part(begin, tree_->source().size() - begin);
    const bool aligned = reinterpret_cast<std::uintptr_t>(data.data()) % sizeof(std::int64_t) == 0;
    const bool has_halves = std::ranges::any_of(promised_, [](const auto& entry) {
      return entry.second.storage->num_bytes == 2 * static_cast<std::uint64_t>(entry.second.num_elements);
    });
    return aligned || has_halves ? data : data.copied();
  }

  void read_machine(const pickle::Node& machine) {
    const auto* facts = machine.get<pickle::Dictionary>();
    if (!facts) refuse_damaged("its description of the writing machine is missing");
    for (const auto& [key, value] : facts->entries) {
      const bool* little_endian = value->get<bool>();
      if (pickle::key_text(*key) == "little_endian" && little_endian) foreign_byte_order_ = !*little_endian;
    }
  }

  // The object stands before its data, so a storage is known by its size alone until the end of the file is read.
  StorageSpan promise(const pickle::StorageReference& reference) {
    auto [entry, is_new] = promised_.try_emplace(reference.key);
    Promised& promised = entry->second;
    if (is_new) {
      promised.storage = std::make_shared<StorageRecord>();
      promised.storage->key = reference.key;
      promised.storage->num_bytes = reference.num_bytes;
      promised.storage->foreign_byte_order = foreign_byte_order_;
      promised.num_elements = reference.num_elements;
    }
    if (promised.storage->num_bytes != reference.num_bytes) {
      refuse_damaged("a storage has two sizes: " + in_backticks(reference.key));
    }
    return {promised.storage, reference.type, reference.view_offset, reference.view_elements};
  }

  void read_storage(const std::string& key, BoundedReader& reader) {
    const auto found = promised_.find(key);
    if (found == promised_.end()) refuse_damaged("it holds a storage that nothing uses: " + in_backticks(key));
    Promised& promised = found->second;
    if (reader.number<std::int64_t>() != promised.num_elements) {
      refuse_damaged("a storage is not of the size that its tensors have: " + in_backticks(key));
    }
    const std::size_t begin = reader.position();
    reader.skip(promised.storage->num_bytes);
    promised.storage->data = data_.part(begin, promised.storage->num_bytes);
  }

  std::string where_;
  std::shared_ptr<pickle::Tree> tree_;
  pickle::Unpickler unpickler_;
  ByteBlock data_;
  bool foreign_byte_order_ = false;
  std::map<std::string, Promised, std::less<>> promised_;
};

}  // namespace

bool is_pytorch_legacy(const ByteBlock& file) {
  constexpr std::size_t kFraming = 16;  // PROTO, from protocol 4 on FRAME, LONG1
  const std::string_view start = file.text().substr(0, kFraming + kMagicNumber.size());
  return start.starts_with('\x80') && start.find(kMagicNumber) != std::string_view::npos;
}

PickledObject read_pytorch_legacy(const ByteBlock& file, const std::string& where) {
  return LegacyFile(file, where).read();
}

PickledObject read_plain_pickle(const ByteBlock& file, const std::string& where) {
  const auto tree = std::make_shared<pickle::Tree>(file, where);
  pickle::Unpickler unpickler(*tree);
  return {tree, unpickler.read()};
}

}  // namespace seedbed::weights
