#include "weights/read_weights.hpp"

#include <algorithm>
#include <string_view>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "weights/mapped_file.hpp"
#include "weights/npy.hpp"
#include "weights/safetensors.hpp"

namespace seedbed::weights {
namespace {

WeightsFormat format_of_bytes(std::string_view bytes) {
  constexpr std::string_view kPickleProtocol = "\x80";
  if (bytes.starts_with("\x93NUMPY")) return WeightsFormat::npy;
  if (bytes.starts_with("PK\x03\x04")) return WeightsFormat::pytorch_zip;
  if (bytes.size() > 8 && bytes[8] == '{') return WeightsFormat::safetensors;
  if (bytes.starts_with(kPickleProtocol)) return WeightsFormat::pytorch_legacy;
  return WeightsFormat::unknown;
}

NamedTensors read_safetensors(const std::filesystem::path& file) {
  const auto opened = SafetensorsFile::open(file);
  NamedTensors tensors;
  for (const TensorEntry& entry : opened->entries()) tensors.emplace(entry.name, opened->widened(entry.name));
  return tensors;
}

NamedTensors read_one_array(const std::filesystem::path& file) {
  at::Tensor values = read_npy(file);
  if (values.scalar_type() == at::kHalf) values = values.to(at::kFloat);
  return {{file.stem().string(), values}};
}

}  // namespace

std::string_view name_of(WeightsFormat format) {
  switch (format) {
    case WeightsFormat::safetensors: return "safetensors";
    case WeightsFormat::npy: return "npy";
    case WeightsFormat::pytorch_zip: return "pytorch_zip";
    case WeightsFormat::pytorch_legacy: return "pytorch_legacy";
    case WeightsFormat::unknown: break;
  }
  return "unknown";
}

WeightsFormat format_of(const std::filesystem::path& file) {
  const MappedFile mapping(file);
  const auto* text = reinterpret_cast<const char*>(mapping.bytes().data());
  return format_of_bytes({text, std::min<std::size_t>(mapping.bytes().size(), 16)});
}

NamedTensors read_weights(const std::filesystem::path& file) {
  const WeightsFormat format = format_of(file);
  switch (format) {
    case WeightsFormat::safetensors: return read_safetensors(file);
    case WeightsFormat::npy: return read_one_array(file);
    case WeightsFormat::pytorch_zip:
    case WeightsFormat::pytorch_legacy:
    case WeightsFormat::unknown: break;
  }
  throw UserError(file.string(), "The weights file has a format that is not read: `" + std::string(name_of(format)) + "`.",
                  "Convert it to safetensors.");
}

}  // namespace seedbed::weights
