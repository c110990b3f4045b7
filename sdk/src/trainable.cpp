#include "seedbed/trainable.hpp"

#include <set>

#include "seedbed/error.hpp"

namespace seedbed {

MapStore::~MapStore() = default;
EpochServices::~EpochServices() = default;
Trainable::~Trainable() = default;

void Trainable::collect(const StepRequest& /*request*/) {}
void Trainable::after_step(const StepRequest& /*request*/) {}
void Trainable::after_epoch(EpochServices& /*services*/) {}
void Trainable::finish(EpochServices& /*services*/) {}

const ViewBatch& StepRequest::main() const {
  const auto stream = streams.find("main");
  if (stream != streams.end()) {
    const auto view = stream->second.find("main");
    if (view != stream->second.end()) return view->second;
  }
  throw ContractError("host", "every step request holds the main view of the main stream", "streams.main.main",
                      stream == streams.end() ? "no stream `main`" : "no view `main` in stream `main`");
}

std::vector<ParameterGroup> grouped_parameters(const Module& module, std::string_view name) {
  const auto parameters = module.named_parameters();
  // The modules whose `weight` is a vector are norms: their scale and their shift go together.
  std::set<std::string> norms;
  const auto owner = [](const std::string& path) { return path.substr(0, path.rfind('.') + 1); };
  for (const auto& [path, tensor] : parameters) {
    if (tensor.dim() == 1 && path == owner(path) + "weight") norms.insert(owner(path));
  }

  const auto as_new = module.new_parameters();
  const std::set<std::string> marked(as_new.begin(), as_new.end());
  std::vector<ParameterGroup> groups;
  std::vector<std::string> origins{std::string(name)};
  if (name != "new") origins.emplace_back("new");
  for (const std::string& origin : origins) {
    for (const char* part : {"", "_bias", "_norm"}) groups.emplace_back().name = origin + part;
  }
  for (const auto& [path, tensor] : parameters) {
    if (!tensor.requires_grad()) continue;
    const bool is_bias = tensor.dim() == 1 && path.ends_with("bias");
    const std::size_t part = tensor.dim() == 1 && norms.contains(owner(path)) ? 2 : is_bias ? 1 : 0;
    groups[part + (marked.contains(path) ? 3 * (origins.size() - 1) : 0)].parameters.push_back(tensor);
  }
  std::erase_if(groups, [](const ParameterGroup& group) { return group.parameters.empty(); });
  return groups;
}

}  // namespace seedbed
