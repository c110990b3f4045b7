#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "images/batch_loader.hpp"
#include "stages/models.hpp"
#include "stages/stage_context.hpp"

namespace seedbed::stages {

/// What the loader takes from a `train` table; images, labels and normalisation are added by the caller.
images::LoaderOptions loader_options_from(const StageContext& context);

/// The same for a stream beside `main`, from its own table: images of another role, without labels.
images::LoaderOptions stream_options_from(const StageContext& context, const std::string& name,
                                          const nlohmann::ordered_json& stream);

/// The size that all crops of a `train` table have; zeros where inputs vary.
CropSize crop_size_from(const nlohmann::ordered_json& train);

}  // namespace seedbed::stages
