#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Zip archives made by hand, with any lie in them.
namespace seedbed::weights::testing {

struct ZipText {
  std::string name;
  std::string content;
  // What the directory says; as it is unless set.
  std::uint16_t method = 0;
  std::uint16_t flags = 0;
  std::optional<std::uint32_t> num_bytes = {};
  std::optional<std::uint32_t> compressed_bytes = {};
  std::optional<std::uint32_t> header_offset = {};
  std::optional<std::uint32_t> checksum = {};
  std::optional<std::string> local_name = {};
  bool aligned = false;  // data at a multiple of 64, as PyTorch pads it
};

/// The archive of these members, stored one after the other.
std::string zip_of(const std::vector<ZipText>& members);

/// An archive as PyTorch lays it out: the pickle and one storage "0".
std::string pytorch_zip_of(const std::string& pickle, const std::string& storage = {});

/// Raw deflate.
std::string deflated(const std::string& content);

}  // namespace seedbed::weights::testing
