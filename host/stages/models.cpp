#include "stages/models.hpp"

#include <filesystem>

#include "fit/checkpoint.hpp"
#include "seedbed/error.hpp"

namespace seedbed::stages {
namespace {

std::string some_of(const std::vector<std::string>& names) {
  return names.empty() ? "none" : "`" + names.front() + "`" + (names.size() > 1 ? " and others" : "");
}

std::string loss_name(const std::string& slot) {
  constexpr std::string_view kPrefix = "loss.";
  return slot.starts_with(kPrefix) ? slot.substr(kPrefix.size()) : "";
}

// A prediction computes no loss, but the strategy is made of the same parts, and losses may have tensors.
Json losses_of(const StageContext& context) {
  Json losses = context.spec.settings.value("losses", Json::array());
  if (!losses.empty()) return losses;
  for (const auto& [slot, binding] : context.spec.methods) {
    if (const std::string name = loss_name(slot); !name.empty()) losses.push_back({{"name", name}, {"weight", 1.0}});
  }
  return losses;
}

std::vector<WeightedLoss> build_losses(const StageContext& context, plugin::ModelBuilder& builder,
                                       const std::shared_ptr<Backbone>& backbone,
                                       std::vector<plugin::Built<Loss>>& losses) {
  std::vector<WeightedLoss> weighted;
  for (const Json& entry : losses_of(context)) {
    const std::string name = entry.at("name").get<std::string>();
    losses.push_back(builder.loss(context.method("loss." + name), backbone));
    weighted.push_back({name, entry.at("weight").get<double>(), losses.back().method});
  }
  return weighted;
}

void add_weights(const protocol::MethodBinding& binding, const StageContext& context, const std::string& purpose,
                 std::vector<protocol::LedgerEntry>& ledger) {
  for (const auto& [parameter, path] : binding.files) {
    const std::string kind = parameter == "weights" ? "weights:" : "file:";
    ledger.push_back({kind + std::filesystem::path(path).stem().string(), context.spec.role, purpose, 0, 1});
  }
  for (const auto& [slot, used] : binding.uses) add_weights(used, context, purpose, ledger);
}

}  // namespace

GeneratorModel build_generator(const StageContext& context, CropSize crop) {
  GeneratorModel model{make_builder(context, crop.height_px, crop.width_px), {}, {}};
  if (context.spec.methods.contains("backbone")) model.backbone = model.builder.backbone(context.method("backbone"));
  model.generator = model.builder.seed_generator(context.method("generator"), model.backbone.method);
  return model;
}

GeneratorModel build_fitted_generator(const StageContext& context) {
  GeneratorModel model = build_generator(context);
  if (context.has_input("checkpoint")) {
    const std::string& id = context.method("generator").id;
    load_checkpoint(context, required_trainable(model.generator->trainable(), id).trained_module(), id);
  }
  model.generator->train(false);
  return model;
}

RefinerModel build_refiner(const StageContext& context, CropSize crop) {
  RefinerModel model{make_builder(context, crop.height_px, crop.width_px), {}, {}};
  if (context.spec.methods.contains("backbone")) model.backbone = model.builder.backbone(context.method("backbone"));
  model.refiner = model.builder.refiner(context.method("refiner"), model.backbone.method);
  return model;
}

SegmenterModel build_segmenter(const StageContext& context, CropSize crop) {
  SegmenterModel model{make_builder(context, crop.height_px, crop.width_px), {}, {}, {}, {}};
  model.backbone = model.builder.backbone(context.method("backbone"));
  model.head = model.builder.head(context.method("head"), model.backbone.method);
  const std::vector<WeightedLoss> losses = build_losses(context, model.builder, model.backbone.method, model.losses);
  model.strategy = model.builder.strategy(context.method("strategy"), model.backbone.method, model.head.method, losses);
  return model;
}

void load_checkpoint(const StageContext& context, Module& module, const std::string& method) {
  if (!context.has_input("checkpoint")) return;
  const std::string& key = context.input_key("checkpoint");
  const NamedTensors tensors = fit::module_part(plugin::read_checkpoint(context.artefact_folder, key));
  const StateReport report = module.load_state(tensors);
  if (report.complete()) return;
  throw UserError(key,
                  "The checkpoint does not fit the method `" + method + "`: missing " + some_of(report.missing) +
                      ", left over " + some_of(report.extra) + ", misshapen " + some_of(report.misshapen) + ".",
                  "a method whose tensors change must raise its revision");
}

Trainable& required_trainable(Trainable* trainable, const std::string& method) {
  if (trainable != nullptr) return *trainable;
  throw ContractError(method, "a method that declares the trait `trains` can be trained", "a Trainable", "null");
}

std::vector<protocol::LedgerEntry> weights_ledger(const StageContext& context, const std::string& purpose) {
  std::vector<protocol::LedgerEntry> ledger;
  for (const auto& [slot, binding] : context.spec.methods) add_weights(binding, context, purpose, ledger);
  return ledger;
}

}  // namespace seedbed::stages
