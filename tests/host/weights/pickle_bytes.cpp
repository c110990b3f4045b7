#include "host/weights/pickle_bytes.hpp"

namespace seedbed::weights::testing {

std::string little_endian(std::uint64_t value, std::size_t num_bytes) {
  return {reinterpret_cast<const char*>(&value), num_bytes};
}

std::string text_op(std::string_view text) { return "X" + little_endian(text.size(), 4) + std::string(text); }

std::string integer_op(std::int64_t value) {
  return std::string("\x8a\x08") + little_endian(static_cast<std::uint64_t>(value), 8);
}

std::string global_op(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}

std::string tuple_op(std::initializer_list<std::int64_t> numbers) {
  std::string ops = "(";
  for (const std::int64_t number : numbers) ops += integer_op(number);
  return ops + "t";
}

std::string storage_op(std::string_view storage_class, std::string_view key, std::int64_t elements) {
  return "(" + text_op("storage") + global_op("torch", storage_class) + text_op(key) + text_op("cpu") +
         integer_op(elements) + "tQ";
}

std::string tensor_op(const std::string& storage, std::int64_t offset, const std::string& shape,
                      const std::string& strides) {
  return global_op("torch._utils", "_rebuild_tensor") + "(" + storage + integer_op(offset) + shape + strides + "tR";
}

std::string tensor_op(std::int64_t storage_elements, std::int64_t offset, const std::string& shape,
                      const std::string& strides) {
  return tensor_op(storage_op("FloatStorage", "0", storage_elements), offset, shape, strides);
}

std::string dictionary_pickle(const std::string& value_op) { return "\x80\x02}" + text_op("a") + value_op + "s."; }

std::string legacy_start() {
  const std::string magic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
  const std::string version = "\x80\x02M\xe9\x03.";
  return magic + version + "\x80\x02}" + text_op("little_endian") + "\x88s.";
}

}  // namespace seedbed::weights::testing
