#include "weights/safetensors_header.hpp"

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <utility>

#include <c10/core/ScalarType.h>
#include <nlohmann/json.hpp>

#include "seedbed/error.hpp"
#include "weights/element_types.hpp"

namespace seedbed::weights {
namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kLargestHeader = 100'000'000;  ///< safetensors' own limit

// Takes the header apart as it is parsed, so that a hostile one builds no tree. A handler returns false to stop.
class HeaderHandler final : public nlohmann::json_sax<nlohmann::json> {
 public:
  const std::string& problem() const { return problem_; }
  std::vector<TensorEntry> entries;
  Metadata metadata;

  bool start_object(std::size_t) override {
    if (place_ == Place::outside) return enter(Place::header);
    if (place_ == Place::header && !key_.empty()) return enter(key_ == "__metadata__" ? Place::metadata : Place::entry);
    return stop("it holds an object where none belongs");
  }
  bool key(std::string& name) override {
    key_ = name;
    if (!keys_.insert({place_, place_ == Place::entry ? entries.back().name + '\0' + name : name}).second)
      return stop("a name stands twice: `" + name + "`");
    if (place_ != Place::header || name == "__metadata__") return true;
    if (name.empty()) return stop("a tensor has no name");
    entries.push_back({name, "", {}, 0, 0});
    num_offsets_ = 0;
    return true;
  }
  bool end_object() override {
    if (place_ == Place::header) return enter(Place::done);
    if (place_ == Place::entry && (entries.back().dtype.empty() || num_offsets_ != 2 || !has_shape_))
      return stop("a tensor lacks `dtype`, `shape` or two `data_offsets`: `" + entries.back().name + "`");
    has_shape_ = false;
    return enter(Place::header);
  }
  bool start_array(std::size_t) override {
    if (place_ == Place::entry && key_ == "shape") return has_shape_ = true, enter(Place::shape);
    if (place_ == Place::entry && key_ == "data_offsets") return enter(Place::offsets);
    return stop("it holds a list where none belongs");
  }
  bool end_array() override { return enter(Place::entry); }
  bool string(std::string& value) override {
    if (place_ == Place::metadata) return metadata[key_] = value, true;
    if (place_ == Place::entry && key_ == "dtype") return entries.back().dtype = value, true;
    return stop("it holds a text where none belongs");
  }
  bool number_unsigned(std::uint64_t value) override {
    if (value > static_cast<std::uint64_t>(INT64_MAX)) return stop("a number is too large");
    if (place_ == Place::shape) return entries.back().shape.push_back(static_cast<std::int64_t>(value)), true;
    if (place_ != Place::offsets || num_offsets_ == 2) return stop("it holds a number where none belongs");
    (num_offsets_++ == 0 ? entries.back().begin : entries.back().end) = value;
    return true;
  }
  bool number_integer(std::int64_t) override { return stop("a number is negative"); }
  bool number_float(double, const std::string&) override { return stop("a number is not whole"); }
  bool null() override { return stop("it holds null"); }
  bool boolean(bool) override { return stop("it holds a truth value where none belongs"); }
  bool binary(nlohmann::json::binary_t&) override { return stop("it is no JSON"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    return stop("it is no JSON from byte " + std::to_string(position) + " on");
  }

 private:
  enum class Place { outside, header, metadata, entry, shape, offsets, done };

  bool enter(Place place) {
    if (place == Place::header) key_.clear();
    place_ = place;
    return true;
  }
  bool stop(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  Place place_ = Place::outside;
  std::string key_;
  std::set<std::pair<Place, std::string>> keys_;
  int num_offsets_ = 0;
  bool has_shape_ = false;
  std::string problem_;
};

class HeaderReader {
 public:
  HeaderReader(std::span<const std::byte> bytes, const std::filesystem::path& file) : bytes_(bytes), file_(file) {}

  SafetensorsHeader read() const {
    const std::uint64_t length = header_length();
    HeaderHandler handler;
    const char* text = reinterpret_cast<const char*>(bytes_.data()) + kLengthBytes;
    if (!nlohmann::json::sax_parse(text, text + length, &handler))
      fail("The header is malformed: " + handler.problem() + ".");
    SafetensorsHeader header{kLengthBytes + length, std::move(handler.entries), std::move(handler.metadata)};
    for (const TensorEntry& entry : header.entries) check_entry(entry);
    check_layout(header);
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw UserError(file_.string(), what, "The file is damaged, or no safetensors file; copy or convert it again.");
  }

  std::uint64_t header_length() const {
    if (bytes_.size() < kLengthBytes)
      fail("The file is too short for a safetensors header: `" + std::to_string(bytes_.size()) + "` bytes.");
    std::uint64_t length = 0;  // little-endian, as this machine
    std::memcpy(&length, bytes_.data(), sizeof length);
    if (length > kLargestHeader) fail("The header's length is absurd: `" + std::to_string(length) + "` bytes.");
    if (length > bytes_.size() - kLengthBytes)
      fail("The file ends within its header of `" + std::to_string(length) + "` bytes.");
    return length;
  }

  void check_entry(const TensorEntry& entry) const {
    const auto type = element_type_from(entry.dtype);
    if (!type) fail("Tensor `" + entry.name + "` has an unknown type: `" + entry.dtype + "`.");
    std::uint64_t bytes = c10::elementSize(*type);
    std::uint64_t volume = bytes;  // without sides of 0, which hide an overflow
    for (std::int64_t side : entry.shape) {
      if (__builtin_mul_overflow(volume, std::max<std::uint64_t>(1, static_cast<std::uint64_t>(side)), &volume) ||
          volume > static_cast<std::uint64_t>(INT64_MAX))
        fail("Tensor `" + entry.name + "` has an absurd shape.");
      bytes *= static_cast<std::uint64_t>(side);
    }
    if (entry.end < entry.begin || entry.end - entry.begin != bytes)
      fail("Shape and offsets of tensor `" + entry.name + "` disagree: `" + std::to_string(bytes) + "` bytes and `" +
           std::to_string(entry.begin) + " .. " + std::to_string(entry.end) + "`.");
  }

  // Tensors follow one another without gaps, and fill the file.
  void check_layout(const SafetensorsHeader& header) const {
    const std::uint64_t size = bytes_.size() - header.data_begin;
    std::vector<const TensorEntry*> order;
    for (const TensorEntry& entry : header.entries) order.push_back(&entry);
    std::ranges::stable_sort(order, {}, [](const TensorEntry* entry) { return std::pair(entry->begin, entry->end); });
    std::uint64_t expected = 0;
    for (const TensorEntry* entry : order) {
      if (entry->end > size) fail("Tensor `" + entry->name + "` lies outside the file.");
      if (entry->begin < expected) fail("Tensor `" + entry->name + "` overlaps another.");
      if (entry->begin > expected) fail("There is a gap before tensor `" + entry->name + "`.");
      expected = entry->end;
    }
    if (expected != size)
      fail("Bytes that belong to no tensor follow the last one: `" + std::to_string(size - expected) + "`.");
  }

  std::span<const std::byte> bytes_;
  const std::filesystem::path& file_;
};

}  // namespace

SafetensorsHeader read_safetensors_header(std::span<const std::byte> bytes, const std::filesystem::path& file) {
  return HeaderReader(bytes, file).read();
}

}  // namespace seedbed::weights
