#include "contract/shared_backbone.hpp"

#include <map>
#include <string>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace seedbed::testing {
namespace {

struct Made {
  std::shared_ptr<FakeRun> run;  ///< lent to the backbone for its life
  std::shared_ptr<Backbone> backbone;
  NamedTensors buffers;
  std::map<std::string, bool> requires_grad;
};

Made made_of(const MethodVariant& variant) {
  Made made{std::make_shared<FakeRun>(), nullptr, {}, {}};
  made.run->generator().set_current_seed(1);
  made.backbone = make<Backbone>(variant, contract_context(*made.run, 3, false));
  for (const auto& [name, buffer] : made.backbone->named_buffers()) made.buffers[name] = buffer.clone();
  for (const auto& [name, parameter] : made.backbone->named_parameters()) {
    made.requires_grad[name] = parameter.requires_grad();
  }
  return made;
}

}  // namespace

std::shared_ptr<Backbone> shared_backbone(const MethodVariant& variant) {
  static auto* const all = new std::map<std::string, Made>;  // never destroyed: neither are the libraries
  auto place = all->find(variant.name);
  if (place == all->end()) place = all->emplace(variant.name, made_of(variant)).first;
  const Made& made = place->second;
  const c10::NoGradGuard no_grad;
  made.backbone->train(false);
  for (const auto& [name, buffer] : made.backbone->named_buffers()) buffer.copy_(made.buffers.at(name));
  for (auto& [name, parameter] : made.backbone->named_parameters()) {
    parameter.mutable_grad().reset();
    parameter.set_requires_grad(made.requires_grad.at(name));
  }
  return made.backbone;
}

}  // namespace seedbed::testing
