#include "weights/weights_format.hpp"

#include "weights/npy_objects.hpp"
#include "weights/pytorch_files.hpp"
#include "weights/zip_archive.hpp"

namespace seedbed::weights {
namespace {

// The header's length in 64 bits, never near 4 GiB, and its first character.
bool looks_like_safetensors(std::string_view text) {
  return text.size() > 8 && text[8] == '{' && text.substr(4, 4) == std::string_view("\0\0\0\0", 4);
}

// Protocol 0 and 1 have no mark in front: a dictionary, list or tuple, and STOP at the end.
bool looks_like_old_pickle(std::string_view text) {
  return text.size() > 2 && text.ends_with('.') && std::string_view("(]}").find(text.front()) != std::string_view::npos;
}

}  // namespace

std::string_view name_of(WeightsFormat format) {
  switch (format) {
    case WeightsFormat::safetensors:
      return "safetensors";
    case WeightsFormat::pytorch_zip:
      return "pytorch_zip";
    case WeightsFormat::pytorch_legacy:
      return "pytorch_legacy";
    case WeightsFormat::torchscript:
      return "torchscript";
    case WeightsFormat::npy:
      return "npy";
    case WeightsFormat::npy_objects:
      return "npy_objects";
    case WeightsFormat::pickle:
      return "pickle";
    case WeightsFormat::gzip:
      return "gzip";
    case WeightsFormat::unknown:
      break;
  }
  return "unknown";
}

WeightsFormat format_of(const ByteBlock& file, const std::string& where) {
  const std::string_view text = file.text();
  if (ZipArchive::is_zip(file)) {
    return is_torchscript(ZipArchive(file, where)) ? WeightsFormat::torchscript : WeightsFormat::pytorch_zip;
  }
  if (text.starts_with("\x93NUMPY")) {
    return is_npy_of_objects(file, where) ? WeightsFormat::npy_objects : WeightsFormat::npy;
  }
  if (looks_like_safetensors(text)) return WeightsFormat::safetensors;
  if (text.starts_with("\x1f\x8b")) return WeightsFormat::gzip;
  if (is_pytorch_legacy(file)) return WeightsFormat::pytorch_legacy;
  if (text.starts_with('\x80')) return WeightsFormat::pickle;
  return looks_like_old_pickle(text) ? WeightsFormat::pickle : WeightsFormat::unknown;
}

WeightsFormat format_of(const std::filesystem::path& file) { return format_of(ByteBlock::map(file), file.string()); }

}  // namespace seedbed::weights
