#include "weights/npy_objects.hpp"

#include "weights/bounded_reader.hpp"

namespace seedbed::weights {
namespace {

// The text of the header, and where the data behind it begins.
struct Header {
  std::string_view text;
  std::size_t data_begin = 0;
};

Header read_header(const ByteBlock& file, std::string_view where) {
  constexpr std::size_t kMagic = 6;
  BoundedReader reader(file.text(), where, "NumPy header", kMagic);
  const auto major = reader.number<std::uint8_t>();
  reader.skip(1);
  const std::size_t size = major == 1 ? reader.number<std::uint16_t>() : reader.number<std::uint32_t>();
  const std::string_view text = reader.take(size);
  return {text, reader.position()};
}

}  // namespace

bool is_npy_of_objects(const ByteBlock& file, const std::string& where) {
  if (!file.text().starts_with("\x93NUMPY")) return false;
  return read_header(file, where).text.find("'descr': '|O'") != std::string_view::npos;
}

PickledObject read_npy_of_objects(const ByteBlock& file, const std::string& where) {
  const std::size_t begin = read_header(file, where).data_begin;
  return read_plain_pickle(file.part(begin, file.size() - begin), where);
}

}  // namespace seedbed::weights
