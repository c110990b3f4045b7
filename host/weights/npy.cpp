#include "weights/npy.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "weights/mapped_file.hpp"

namespace seedbed::weights {
namespace {

struct NpyHeader {
  at::ScalarType type = at::kFloat;
  std::vector<std::int64_t> shape;
  bool fortran_order = false;
};

constexpr std::pair<std::string_view, at::ScalarType> kTypes[] = {
    {"|b1", at::kBool},  {"|u1", at::kByte},   {"|i1", at::kChar},  {"<u2", at::kUInt16},
    {"<i2", at::kShort}, {"<u4", at::kUInt32}, {"<i4", at::kInt},   {"<u8", at::kUInt64},
    {"<i8", at::kLong},  {"<f2", at::kHalf},   {"<f4", at::kFloat}, {"<f8", at::kDouble}};

std::optional<at::ScalarType> type_from(std::string_view descr) {
  const auto found = std::ranges::find(kTypes, descr, &std::pair<std::string_view, at::ScalarType>::first);
  if (found == std::end(kTypes)) return std::nullopt;
  return found->second;
}

// "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }" and what pads the file's front to 64 bytes.
std::string header_text(const at::Tensor& values) {
  const auto type =
      std::ranges::find(kTypes, values.scalar_type(), &std::pair<std::string_view, at::ScalarType>::second);
  if (type == std::end(kTypes))
    throw ContractError("npy writer", "a NumPy file holds numbers", "one of NumPy's types", values.toString());
  std::string shape;  // as Python writes a tuple
  for (const std::int64_t side : values.sizes()) shape += (shape.empty() ? "" : ", ") + std::to_string(side);
  if (values.dim() == 1) shape += ",";
  std::string text =
      "{'descr': '" + std::string(type->first) + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  constexpr std::size_t front = 10, alignment = 64;
  text.append((alignment - (front + text.size() + 1) % alignment) % alignment, ' ');
  return text + "\n";
}

// Reads the header, a Python dict literal: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class NpyReader {
 public:
  explicit NpyReader(const std::filesystem::path& file) : file_(file), mapping_(file) {
    bytes_ = {reinterpret_cast<const char*>(mapping_.bytes().data()), mapping_.bytes().size()};
  }

  at::Tensor read() {
    const NpyHeader header = read_header();
    std::vector<std::int64_t> stored = header.shape;
    if (header.fortran_order) std::ranges::reverse(stored);
    std::uint64_t size = c10::elementSize(header.type);
    std::uint64_t volume = size;  // without sides of 0, which hide an overflow
    for (std::int64_t side : stored) {
      if (__builtin_mul_overflow(volume, std::max<std::uint64_t>(1, static_cast<std::uint64_t>(side)), &volume))
        fail("its shape is absurd");
      size *= static_cast<std::uint64_t>(side);
    }
    if (size != bytes_.size())
      fail("it holds `" + std::to_string(bytes_.size()) + "` bytes for `" + std::to_string(size) + "`");
    const bool is_bool = header.type == at::kBool;
    at::Tensor values = at::empty(stored, is_bool ? at::kByte : header.type);
    if (size > 0) std::memcpy(values.mutable_data_ptr(), bytes_.data(), size);
    if (is_bool) values = values.ne(0);
    if (!header.fortran_order) return values;
    std::vector<std::int64_t> reversed(stored.size());
    for (std::size_t i = 0; i < reversed.size(); ++i) reversed[i] = static_cast<std::int64_t>(reversed.size() - 1 - i);
    return values.permute(reversed).contiguous();
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw UserError(file_.string(), "The NumPy file cannot be read: " + why + ".",
                    "Arrays of little-endian numbers and of bool are read; arrays of objects are not.");
  }

  // Takes the next `count` bytes off the front.
  std::string_view take(std::size_t count) {
    if (count > bytes_.size()) fail("it ends too early");
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }

  std::size_t take_length(std::size_t bytes) {
    std::size_t length = 0;
    const std::string_view text = take(bytes);
    for (std::size_t i = 0; i < bytes; ++i) length |= std::size_t{static_cast<unsigned char>(text[i])} << (8 * i);
    return length;
  }

  NpyHeader read_header() {
    if (take(6) != "\x93NUMPY") fail("it does not begin as one");
    const int version = take(2).front();
    if (version < 1 || version > 3) fail("its version is unknown");
    const std::string_view text = take(take_length(version == 1 ? 2 : 4));
    NpyHeader header;
    const std::string_view descr = quoted_after(text, "'descr':");
    const auto type = type_from(descr);
    if (!type) fail("its type is not read: `" + std::string(descr) + "`");
    header.type = *type;
    const std::string_view order = after(text, "'fortran_order':");
    header.fortran_order = order.starts_with("True");
    if (!header.fortran_order && !order.starts_with("False")) fail("its header is malformed");
    header.shape = shape_in(after(text, "'shape':"));
    return header;
  }

  std::string_view after(std::string_view text, std::string_view key) const {
    const std::size_t found = text.find(key);
    if (found == std::string_view::npos) fail("its header lacks " + std::string(key));
    text.remove_prefix(found + key.size());
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    return text;
  }

  std::string_view quoted_after(std::string_view text, std::string_view key) const {
    std::string_view value = after(text, key);
    if (!value.starts_with('\''))
      return value.substr(0, std::min<std::size_t>(value.find(','), 40));  // a structured type
    value.remove_prefix(1);
    return value.substr(0, value.find('\''));
  }

  // "(3, 4)" "(3,)" "()"
  std::vector<std::int64_t> shape_in(std::string_view text) const {
    const std::size_t end = text.find(')');
    if (!text.starts_with('(') || end == std::string_view::npos) fail("its shape is malformed");
    std::vector<std::int64_t> shape;
    const char* position = text.data() + 1;
    const char* const last = text.data() + end;
    while (position < last) {
      if (*position == ' ' || *position == ',') {
        ++position;
        continue;
      }
      std::int64_t side = 0;
      const auto [next, error] = std::from_chars(position, last, side);
      if (error != std::errc() || side < 0 || shape.size() == 64) fail("its shape is malformed");
      shape.push_back(side);
      position = next;
    }
    return shape;
  }

  const std::filesystem::path& file_;
  MappedFile mapping_;
  std::string_view bytes_;
};

}  // namespace

at::Tensor read_npy(const std::filesystem::path& file) { return NpyReader(file).read(); }

void write_npy(const std::filesystem::path& file, const at::Tensor& values) {
  const at::Tensor stored = values.to(at::kCPU).contiguous();
  const std::string header = header_text(stored);
  std::ofstream stream(file, std::ios::binary);
  stream << "\x93NUMPY" << '\x01' << '\x00' << static_cast<char>(header.size() & 0xFFU)
         << static_cast<char>(header.size() >> 8U) << header;
  stream.write(static_cast<const char*>(stored.const_data_ptr()), static_cast<std::streamsize>(stored.nbytes()));
  stream.close();
  if (!stream)
    throw UserError(file.string(), "The NumPy file cannot be written.",
                    "Check the folder, its permissions and the space left.");
}

}  // namespace seedbed::weights
