#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

/// Pickles made by hand, opcode by opcode.
namespace seedbed::weights::testing {

std::string little_endian(std::uint64_t value, std::size_t num_bytes);

std::string text_op(std::string_view text);
std::string integer_op(std::int64_t value);
std::string global_op(std::string_view module, std::string_view name);
std::string tuple_op(std::initializer_list<std::int64_t> numbers);

/// A reference to a storage of a PyTorch file.
std::string storage_op(std::string_view storage_class, std::string_view key, std::int64_t elements);

/// A tensor on the storage that `storage` refers to.
std::string tensor_op(const std::string& storage, std::int64_t offset, const std::string& shape,
                      const std::string& strides);

/// A float tensor on storage "0".
std::string tensor_op(std::int64_t storage_elements, std::int64_t offset, const std::string& shape,
                      const std::string& strides);

/// A whole pickle: a dictionary with one entry "a".
std::string dictionary_pickle(const std::string& value_op);

/// What stands before the object in a legacy file: magic number, version, the machine.
std::string legacy_start();

}  // namespace seedbed::weights::testing
