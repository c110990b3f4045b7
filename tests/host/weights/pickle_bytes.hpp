#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Pickles made by hand, opcode by opcode.
namespace seedbed::weights::testing {

inline std::string little_endian(std::uint64_t value, std::size_t num_bytes) {
  return {reinterpret_cast<const char*>(&value), num_bytes};
}

inline std::string text_op(std::string_view text) { return "X" + little_endian(text.size(), 4) + std::string(text); }

inline std::string integer_op(std::int64_t value) {
  return std::string("\x8a\x08") + little_endian(static_cast<std::uint64_t>(value), 8);
}

inline std::string global_op(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}

/// The reference to storage "0".
inline std::string storage_op(std::string_view storage_class, std::int64_t elements) {
  return "(" + text_op("storage") + global_op("torch", storage_class) + text_op("0") + text_op("cpu") +
         integer_op(elements) + "tQ";
}

inline std::string tuple_op(std::initializer_list<std::int64_t> numbers) {
  std::string ops = "(";
  for (const std::int64_t number : numbers) ops += integer_op(number);
  return ops + "t";
}

/// A float tensor on storage "0".
inline std::string tensor_op(std::int64_t storage_elements, std::int64_t offset, const std::string& shape,
                             const std::string& strides) {
  return global_op("torch._utils", "_rebuild_tensor") + "(" + storage_op("FloatStorage", storage_elements) +
         integer_op(offset) + shape + strides + "tR";
}

/// A whole pickle: a dictionary with one entry "a".
inline std::string dictionary_pickle(const std::string& value_op) {
  return "\x80\x02}" + text_op("a") + value_op + "s.";
}

}  // namespace seedbed::weights::testing
