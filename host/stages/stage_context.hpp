#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "images/accessor.hpp"
#include "images/decoded_content.hpp"
#include "plugin/method_run.hpp"
#include "plugin/model_builder.hpp"
#include "plugin/registry.hpp"
#include "protocol/stage.hpp"
#include "seedbed/manifest.hpp"

namespace seedbed::stages {

using Json = nlohmann::ordered_json;

/// Everything a stage of a group works with. References outlive the stage.
struct StageContext {
  const protocol::StageSpec& spec;
  plugin::Registry& registry;
  plugin::StageServices& services;
  std::shared_ptr<images::DecodedContent> content;
  std::filesystem::path artefact_folder;
  std::int64_t threads = 1;

  const dataset::ClassTable& classes() const { return content->dataset().classes(); }
  std::int64_t random_seed() const { return spec.random_seed.value_or(0); }

  /// "map.seeds": names the stage's random streams.
  std::string operation() const;

  /// Key of the input. Throws: ContractError where it is missing.
  const std::string& input_key(std::string_view name) const;
  bool has_input(std::string_view name) const;

  /// Throws: ContractError where the stage names no such method.
  const protocol::MethodBinding& method(const std::string& slot) const;

  /// The value of the input `chosen`; nullopt where there is no such input.
  std::optional<double> chosen_value() const;

  std::filesystem::path folder() const;
};

/// Opens what a stage may see in the name of `who`: images, and the kinds of labels in `contents`.
std::shared_ptr<images::LabelledImages> open_images(const StageContext& context, std::string who, std::string purpose,
                                                    std::set<dataset::Content> contents,
                                                    std::set<std::string> side = {});

/// The same of another role than the stage's own.
std::shared_ptr<images::LabelledImages> open_images_of(const StageContext& context, std::string role, std::string who,
                                                       std::string purpose, std::set<dataset::Content> contents,
                                                       std::set<std::string> side = {});

/// What a method declared, as contents of the data set. `with_image_labels` false withholds image labels.
std::set<dataset::Content> declared_contents(const MethodManifest& manifest, bool with_image_labels);

/// A builder whose random streams start with `operation`. A map stage that reads a checkpoint draws no weights.
plugin::ModelBuilder make_builder(const StageContext& context, std::int64_t input_height_px = 0,
                                  std::int64_t input_width_px = 0);

}  // namespace seedbed::stages
