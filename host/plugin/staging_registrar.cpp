#include "plugin/staging_registrar.hpp"

#include <algorithm>

#include "seedbed/error.hpp"

namespace seedbed::plugin {

template <typename T>
void StagingRegistrar::add(MethodKind kind, std::string_view id, Factory<T> make) {
  const auto declares = [&](const MethodManifest& method) { return method.kind == kind && method.id == id; };
  if (std::none_of(manifest_.methods.begin(), manifest_.methods.end(), declares)) {
    throw ContractError(manifest_.name, "only methods that the manifest declares are registered",
                        "a `[[method]]` of kind `" + std::string(name_of(kind)) + "`",
                        "the id `" + std::string(id) + "`");
  }
  if (!make) {
    throw ContractError(manifest_.name, "a registered factory can be called",
                        "a function for `" + std::string(id) + "`", "none");
  }
  if (!factories_.emplace(std::pair(kind, std::string(id)), std::move(make)).second) {
    throw ContractError(manifest_.name, "a method is registered once", "one factory",
                        "a second one for `" + std::string(id) + "`");
  }
}

void StagingRegistrar::add_backbone(std::string_view id, Factory<Backbone> make) {
  add(MethodKind::backbone, id, std::move(make));
}
void StagingRegistrar::add_seed_generator(std::string_view id, Factory<SeedGenerator> make) {
  add(MethodKind::seed_generator, id, std::move(make));
}
void StagingRegistrar::add_refiner(std::string_view id, Factory<Refiner> make) {
  add(MethodKind::refiner, id, std::move(make));
}
void StagingRegistrar::add_loss(std::string_view id, Factory<Loss> make) { add(MethodKind::loss, id, std::move(make)); }
void StagingRegistrar::add_segmentation_head(std::string_view id, Factory<SegmentationHead> make) {
  add(MethodKind::segmentation_head, id, std::move(make));
}
void StagingRegistrar::add_training_strategy(std::string_view id, Factory<TrainingStrategy> make) {
  add(MethodKind::training_strategy, id, std::move(make));
}

StagingRegistrar::Factories StagingRegistrar::take() {
  for (const MethodManifest& method : manifest_.methods) {
    if (factories_.contains({method.kind, method.id})) continue;
    throw ContractError(manifest_.name, "every method of the manifest is registered",
                        "a factory for the " + std::string(name_of(method.kind)) + " `" + method.id + "`", "none");
  }
  return std::move(factories_);
}

}  // namespace seedbed::plugin
