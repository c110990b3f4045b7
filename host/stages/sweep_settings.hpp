#pragma once

#include <nlohmann/json.hpp>

#include "metrics/sweep.hpp"
#include "stages/member.hpp"

namespace seedbed::stages {

/// An empty sweep over the values that a table's `from`, `to` and `step` name (0, 0.99 and 0.01 unless given).
metrics::Sweep make_sweep(const StageContext& context, const std::string& rule, const nlohmann::ordered_json& table);

/// Counts of one image's maps against its mask. Throws: UserError for maps with a background plane.
metrics::ImageSweep count_image(const metrics::Sweep& sweep, const ImageProduct& maps, const at::Tensor& mask_hw);

/// "threshold" | "alpha": what the values of a curve are.
std::string swept_name(const std::string& rule);

}  // namespace seedbed::stages
