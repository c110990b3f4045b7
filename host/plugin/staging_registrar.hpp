#pragma once

#include <map>
#include <string>
#include <utility>

#include "plugin/registry.hpp"

namespace seedbed::plugin {

/// Collects what one library registers, so that it can be taken whole or not at all.
class StagingRegistrar : public Registrar {
 public:
  using Factories = std::map<std::pair<MethodKind, std::string>, AnyFactory>;

  explicit StagingRegistrar(const PluginManifest& manifest) : manifest_(manifest) {}

  void add_backbone(std::string_view id, Factory<Backbone> make) override;
  void add_seed_generator(std::string_view id, Factory<SeedGenerator> make) override;
  void add_refiner(std::string_view id, Factory<Refiner> make) override;
  void add_loss(std::string_view id, Factory<Loss> make) override;
  void add_segmentation_head(std::string_view id, Factory<SegmentationHead> make) override;
  void add_training_strategy(std::string_view id, Factory<TrainingStrategy> make) override;

  /// Throws: ContractError for a declared method that got no factory.
  Factories take();

 private:
  template <typename T>
  void add(MethodKind kind, std::string_view id, Factory<T> make);

  const PluginManifest& manifest_;
  Factories factories_;
};

}  // namespace seedbed::plugin
