#pragma once

#include <nlohmann/json.hpp>

#include "images/batch_loader.hpp"
#include "stages/models.hpp"
#include "stages/stage_context.hpp"

namespace seedbed::stages {

/// What the loader takes from a `train` table; images, labels and normalisation are added by the caller.
images::LoaderOptions loader_options_from(const StageContext& context);

/// The size that all crops of a `train` table have; zeros where inputs vary.
CropSize crop_size_from(const nlohmann::ordered_json& train);

}  // namespace seedbed::stages
