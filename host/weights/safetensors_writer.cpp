#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <system_error>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "protocol/artefact_paths.hpp"
#include "seedbed/error.hpp"
#include "weights/element_types.hpp"
#include "weights/safetensors.hpp"

namespace seedbed::weights {
namespace {

// Larger element types first: every tensor is then aligned for its own type.
std::vector<std::size_t> data_order(const OrderedTensors& tensors) {
  std::vector<std::size_t> order(tensors.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t i) { return tensors[i].second.element_size(); });
  return order;
}

void check_tensors(const OrderedTensors& tensors) {
  std::set<std::string_view> names{"__metadata__"};
  for (const auto& [name, tensor] : tensors) {
    if (!names.insert(name).second)
      throw ContractError("write_safetensors", "names are distinct", "each name once", name);
    if (!tensor.defined() || !element_type_name(tensor.scalar_type()))
      throw ContractError("write_safetensors", "tensors have a type that the format has", "e.g. float32",
                          name + ": " + (tensor.defined() ? at::toString(tensor.scalar_type()) : "undefined"));
  }
}

std::string header_of(const OrderedTensors& tensors, const std::vector<std::size_t>& order, const Metadata& metadata) {
  std::vector<std::uint64_t> begin(tensors.size());
  std::uint64_t offset = 0;
  for (std::size_t i : order) {
    begin[i] = offset;
    offset += tensors[i].second.nbytes();
  }
  // Written piece by piece: an ordered JSON object looks through all its names for each new one.
  std::string header = "{";
  if (!metadata.empty()) header += "\"__metadata__\":" + nlohmann::json(metadata).dump();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, tensor] = tensors[i];
    const nlohmann::ordered_json entry{{"dtype", *element_type_name(tensor.scalar_type())},
                                       {"shape", tensor.sizes().vec()},
                                       {"data_offsets", {begin[i], begin[i] + tensor.nbytes()}}};
    header += (header.size() > 1 ? "," : "") + nlohmann::json(name).dump() + ":" + entry.dump();
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  return header;
}

}  // namespace

void write_safetensors(const std::filesystem::path& file, const OrderedTensors& tensors, const Metadata& metadata) {
  check_tensors(tensors);
  const std::vector<std::size_t> order = data_order(tensors);
  const std::string header = header_of(tensors, order, metadata);
  const std::uint64_t length = header.size();
  const std::filesystem::path temporary = file.string() + ".part" + std::to_string(::getpid());
  std::error_code ignored;  // a folder that is missing still makes the file fail to open
  std::filesystem::create_directories(file.parent_path(), ignored);
  std::ofstream stream(temporary, std::ios::binary | std::ios::trunc);
  stream.write(reinterpret_cast<const char*>(&length), sizeof length);
  stream.write(header.data(), static_cast<std::streamsize>(length));
  for (std::size_t i : order) {
    const at::Tensor values = tensors[i].second.detach().to(at::kCPU).contiguous();
    stream.write(static_cast<const char*>(values.const_data_ptr()), static_cast<std::streamsize>(values.nbytes()));
  }
  stream.close();
  if (!stream) {
    std::filesystem::remove(temporary, ignored);
    throw UserError(file.string(), "The file cannot be written: `" + file.string() + "`.",
                    "Check the folder, its permissions and the space left.");
  }
  protocol::commit_durably(temporary, file);
}

}  // namespace seedbed::weights
