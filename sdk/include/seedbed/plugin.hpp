#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "seedbed/backbone.hpp"
#include "seedbed/export.hpp"
#include "seedbed/loss.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/parameters.hpp"
#include "seedbed/refiner.hpp"
#include "seedbed/seed_generator.hpp"
#include "seedbed/segmentation_head.hpp"
#include "seedbed/training_strategy.hpp"

namespace seedbed {

template <typename T>
using Factory = std::function<std::shared_ptr<T>(const ParameterValues&, const ModelContext&)>;

/// Where a plugin binds ids to factories. The host owns what is registered.
/// Threads: [host-thread], during registration only.
class SEEDBED_API Registrar {
 public:
  virtual ~Registrar();
  /// Throws: ContractError for an id that the manifest does not declare with this kind, or that is bound twice.
  virtual void add_backbone(std::string_view id, Factory<Backbone> make) = 0;
  virtual void add_seed_generator(std::string_view id, Factory<SeedGenerator> make) = 0;
  virtual void add_refiner(std::string_view id, Factory<Refiner> make) = 0;
  virtual void add_loss(std::string_view id, Factory<Loss> make) = 0;
  virtual void add_segmentation_head(std::string_view id, Factory<SegmentationHead> make) = 0;
  virtual void add_training_strategy(std::string_view id, Factory<TrainingStrategy> make) = 0;
};

/// Turns a factory that takes the generated parameter struct into one that takes resolved parameters:
///   registrar.add_refiner(PamrParameters::kId, typed<PamrParameters>([](const PamrParameters& p,
///                                                                        const ModelContext& c) { ... }));
template <typename Parameters, typename Make>
auto typed(Make make) {
  return [make](const ParameterValues& values, const ModelContext& context) {
    return make(Parameters::from(values), context);
  };
}

}  // namespace seedbed

/// The C shell: stable for ever. `size` lets later hosts add members; `epoch` names the C++ room's generation.
extern "C" struct SeedbedPluginDescriptor {
  std::uint32_t size;
  std::uint32_t epoch;
  void (*register_all)(seedbed::Registrar* registrar);
};

inline constexpr std::uint32_t kSeedbedPluginEpoch = 1;

/// Defines the one exported symbol. `function` is `void (seedbed::Registrar&)`; it may throw.
#define SEEDBED_PLUGIN(function)                                       \
  extern "C" SEEDBED_API const SeedbedPluginDescriptor seedbed_plugin; \
  extern "C" const SeedbedPluginDescriptor seedbed_plugin = {          \
      sizeof(SeedbedPluginDescriptor), kSeedbedPluginEpoch,            \
      [](seedbed::Registrar* registrar) { function(*registrar); }};
