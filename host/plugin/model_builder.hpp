#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "plugin/method_run.hpp"
#include "plugin/registry.hpp"
#include "protocol/stage.hpp"
#include "seedbed/model_context.hpp"

namespace seedbed::plugin {

/// What is the same for all methods of one stage.
struct ModelSettings {
  std::vector<std::string> class_names;
  std::int64_t input_height_px = 0;  ///< of a training crop; 0 where inputs vary
  std::int64_t input_width_px = 0;
  std::int64_t random_seed = 0;
  std::string operation;  ///< names the random streams of initial weights
  std::filesystem::path artefact_folder{};
  bool checkpoint_activations = false;
};

/// A method and what the host knows of it. `run` and `manifest` live as long as their builder and registry.
template <typename T>
struct Built {
  std::shared_ptr<T> method;
  const MethodManifest* manifest = nullptr;
  std::set<std::string> traits;  ///< under the resolved parameters
  MethodRun* run = nullptr;

  explicit operator bool() const { return method != nullptr; }
  T* operator->() const { return method.get(); }
  bool has(const std::string& trait) const { return traits.contains(trait); }
};

/// Makes the methods of one stage from their bindings, slots and weights included. Must outlive what it makes.
/// Throws: UserError (parameters, weights, files), ContractError (a factory that throws or gives nothing).
class ModelBuilder {
 public:
  ModelBuilder(Registry& registry, StageServices& services, ModelSettings settings);

  Built<Backbone> backbone(const protocol::MethodBinding& binding);
  Built<SeedGenerator> seed_generator(const protocol::MethodBinding& binding,
                                      const std::shared_ptr<Backbone>& backbone);
  Built<Refiner> refiner(const protocol::MethodBinding& binding, const std::shared_ptr<Backbone>& backbone);
  /// Of a segmenter, whose backbone's taps it may read; without one, of a slot.
  Built<Loss> loss(const protocol::MethodBinding& binding, const std::shared_ptr<Backbone>& backbone = nullptr);
  Built<SegmentationHead> head(const protocol::MethodBinding& binding, const std::shared_ptr<Backbone>& backbone);
  Built<TrainingStrategy> strategy(const protocol::MethodBinding& binding, const std::shared_ptr<Backbone>& backbone,
                                   const std::shared_ptr<SegmentationHead>& head,
                                   const std::vector<WeightedLoss>& losses);

  /// Entries of weights files that had no place, as "FILE: NAME".
  const std::vector<std::string>& unused_weights() const { return unused_weights_; }

 private:
  template <typename T>
  Built<T> make(MethodKind kind, const protocol::MethodBinding& binding, ModelContext context);
  UsedMethod used(const protocol::MethodBinding& binding, const std::shared_ptr<Backbone>& backbone);
  ModelContext context(const protocol::MethodBinding& binding, const std::shared_ptr<Backbone>& backbone);

  Registry& registry_;
  StageServices& services_;
  ModelSettings settings_;
  std::vector<std::unique_ptr<MethodRun>> runs_;
  std::vector<std::string> unused_weights_;
};

}  // namespace seedbed::plugin
