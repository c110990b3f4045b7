#include "stages/stage_context.hpp"

#include <algorithm>

#include "protocol/artefact_paths.hpp"
#include "seedbed/error.hpp"
#include "stages/chosen_value.hpp"

namespace seedbed::stages {

std::string StageContext::operation() const { return std::string(name_of(spec.type)) + "." + spec.operation; }

bool StageContext::has_input(std::string_view name) const {
  return std::any_of(spec.inputs.begin(), spec.inputs.end(), [&](const auto& input) { return input.name == name; });
}

const std::string& StageContext::input_key(std::string_view name) const {
  for (const protocol::StageInput& input : spec.inputs) {
    if (input.name == name) return input.key;
  }
  throw ContractError("plan", "a stage has the inputs of its operation",
                      "`" + std::string(name) + "` for `" + operation() + "`", "none");
}

const protocol::MethodBinding& StageContext::method(const std::string& slot) const {
  const auto found = spec.methods.find(slot);
  if (found != spec.methods.end()) return found->second;
  throw ContractError("plan", "a stage has the methods of its operation", "`" + slot + "` for `" + operation() + "`",
                      "none");
}

std::optional<double> StageContext::chosen_value() const {
  if (!has_input("chosen")) return std::nullopt;
  return read_chosen_value(artefact_folder, input_key("chosen"));
}

std::filesystem::path StageContext::folder() const { return artefact_folder / protocol::stage_folder(spec.key); }

std::shared_ptr<images::LabelledImages> open_images(const StageContext& context, std::string who, std::string purpose,
                                                    std::set<dataset::Content> contents, std::set<std::string> side) {
  return open_images_of(context, context.spec.role, std::move(who), std::move(purpose), std::move(contents),
                        std::move(side));
}

std::shared_ptr<images::LabelledImages> open_images_of(const StageContext& context, std::string role, std::string who,
                                                       std::string purpose, std::set<dataset::Content> contents,
                                                       std::set<std::string> side) {
  images::Access access;
  access.who = std::move(who);
  access.role = std::move(role);
  access.purpose = std::move(purpose);
  access.contents = std::move(contents);
  access.side = std::move(side);
  if (!access.side.empty()) access.contents.insert(dataset::Content::side);
  return std::make_shared<images::LabelledImages>(context.content, std::move(access));
}

std::set<dataset::Content> declared_contents(const MethodManifest& manifest, bool with_image_labels) {
  std::set<dataset::Content> contents{dataset::Content::image};
  const std::set<std::string>& labels = manifest.supervision.labels;
  if (with_image_labels && labels.contains("image_labels")) contents.insert(dataset::Content::image_labels);
  if (labels.contains("masks")) contents.insert(dataset::Content::mask);
  return contents;
}

plugin::ModelBuilder make_builder(const StageContext& context, std::int64_t input_height_px,
                                  std::int64_t input_width_px) {
  plugin::ModelSettings settings;
  settings.class_names = context.classes().names;
  settings.input_height_px = input_height_px;
  settings.input_width_px = input_width_px;
  settings.random_seed = context.random_seed();
  settings.operation = context.operation();
  settings.artefact_folder = context.artefact_folder;
  settings.checkpoint_activations = context.spec.settings.value("checkpoint_activations", false);
  return plugin::ModelBuilder(context.registry, context.services, std::move(settings));
}

}  // namespace seedbed::stages
