#include "plugin/model_builder.hpp"

#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "fit/random_streams.hpp"
#include "plugin/binding_parameters.hpp"
#include "plugin/weights_loading.hpp"
#include "seedbed/error.hpp"

namespace seedbed::plugin {

using protocol::MethodBinding;

ModelBuilder::ModelBuilder(Registry& registry, StageServices& services, ModelSettings settings)
    : registry_(registry), services_(services), settings_(std::move(settings)) {}

UsedMethod ModelBuilder::used(const MethodBinding& binding, const std::shared_ptr<Backbone>& shared) {
  UsedMethod method;
  switch (method_kind_from(binding.kind).value_or(MethodKind::training_strategy)) {
    case MethodKind::backbone:
      method.backbone = backbone(binding).method;
      break;
    case MethodKind::seed_generator:
      method.seed_generator = seed_generator(binding, shared).method;
      break;
    case MethodKind::refiner:
      method.refiner = refiner(binding, shared).method;
      break;
    case MethodKind::loss:
      method.loss = loss(binding).method;
      break;
    case MethodKind::segmentation_head:
      method.head = head(binding, shared).method;
      break;
    case MethodKind::training_strategy:
      throw ContractError("study", "a slot holds a backbone, generator, refiner, loss or head", "one of these",
                          "`" + binding.kind + "`");
  }
  return method;
}

ModelContext ModelBuilder::context(const MethodBinding& binding, const std::shared_ptr<Backbone>& backbone) {
  ModelContext context;
  context.class_names = settings_.class_names;
  context.input_height_px = settings_.input_height_px;
  context.input_width_px = settings_.input_width_px;
  context.backbone = backbone;
  for (const auto& [slot, inner] : binding.uses) context.uses[slot] = used(inner, backbone);
  return context;
}

template <typename T>
Built<T> ModelBuilder::make(MethodKind kind, const MethodBinding& binding, ModelContext context) {
  registry_.load(binding.library);
  const RegisteredMethod& registered = registry_.find(kind, binding.id);
  if (registered.manifest.revision != binding.revision) {
    throw UserError(binding.library,
                    "The plugin changed since the study was planned: `" + binding.id + "` has revision `" +
                        std::to_string(registered.manifest.revision) + "`, planned was `" +
                        std::to_string(binding.revision) + "`.",
                    "run the study again");
  }
  const ParameterValues values = binding_parameters(binding, registered.manifest);
  runs_.push_back(
      std::make_unique<MethodRun>(services_, binding, settings_.artefact_folder, settings_.checkpoint_activations));
  Built<T> built;
  built.run = runs_.back().get();
  built.manifest = &registered.manifest;
  built.traits = registered.manifest.traits_for(values);
  context.run = built.run;
  const fit::RandomScope random(built.run->generator(),
                                fit::derive_seed(settings_.random_seed, settings_.operation + "/init/" + binding.kind));
  built.method = std::get<Factory<T>>(registered.make)(values, context);
  if (!built.method) throw ContractError(binding.id, "a factory gives a method", "an object", "null");
  built.method->to(services_.device());
  built.method->train(false);
  return built;
}

Built<Backbone> ModelBuilder::backbone(const MethodBinding& binding) {
  Built<Backbone> built = make<Backbone>(MethodKind::backbone, binding, context(binding, nullptr));
  if (!built.run->has_weights("weights")) return built;
  const c10::NoGradGuard no_gradients;
  const NamedTensors tensors = backbone_part(built.run->weights("weights"));
  const auto file = binding.files.find("weights");
  const std::string where = file == binding.files.end() ? "the checkpoint of a node" : file->second;
  for (const std::string& name : load_backbone_weights(*built.method, tensors, binding.strict, where)) {
    unused_weights_.push_back(where + ": " + name);
  }
  return built;
}

Built<SeedGenerator> ModelBuilder::seed_generator(const MethodBinding& binding,
                                                  const std::shared_ptr<Backbone>& backbone) {
  return make<SeedGenerator>(MethodKind::seed_generator, binding, context(binding, backbone));
}

Built<Refiner> ModelBuilder::refiner(const MethodBinding& binding, const std::shared_ptr<Backbone>& backbone) {
  return make<Refiner>(MethodKind::refiner, binding, context(binding, backbone));
}

Built<Loss> ModelBuilder::loss(const MethodBinding& binding, const std::shared_ptr<Backbone>& backbone) {
  return make<Loss>(MethodKind::loss, binding, context(binding, backbone));
}

Built<SegmentationHead> ModelBuilder::head(const MethodBinding& binding, const std::shared_ptr<Backbone>& backbone) {
  ModelContext head_context = context(binding, backbone);
  head_context.output_channels = head_context.num_classes() + 1;
  return make<SegmentationHead>(MethodKind::segmentation_head, binding, std::move(head_context));
}

Built<TrainingStrategy> ModelBuilder::strategy(const MethodBinding& binding, const std::shared_ptr<Backbone>& backbone,
                                               const std::shared_ptr<SegmentationHead>& head,
                                               const std::vector<WeightedLoss>& losses) {
  ModelContext strategy_context = context(binding, backbone);
  strategy_context.head = head;
  strategy_context.losses = losses;
  return make<TrainingStrategy>(MethodKind::training_strategy, binding, std::move(strategy_context));
}

}  // namespace seedbed::plugin
