#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include "metrics/sweep.hpp"
#include "seedbed/types.hpp"

namespace seedbed::stages {

using Json = nlohmann::ordered_json;

enum class RuleKind { argmax, threshold, power, two_thresholds };

/// How score maps become labels, or get a background plane.
struct Rule {
  RuleKind kind = RuleKind::argmax;
  double value = 0;     ///< threshold: the constant; power: alpha
  double high = 0;      ///< two_thresholds: foreground above
  double low = 0;       ///< two_thresholds: background where nothing is above; 255 between
  std::string origin;   ///< of the value, as metrics say it: "" | "fixed" | "chosen"
};

/// Reads a RULE table; where it holds `choose`, the value is `chosen`.
/// Throws: ContractError for an unknown rule, and where a value is missing.
Rule rule_from(const Json& table, std::optional<double> chosen);

metrics::SweptBackground swept_background_from(const std::string& rule);

/// The planes of one image at the image's size (bilinear, half-pixel centres), [P,H,W]; P may be 0.
/// Throws: ContractError for maps that cover less or more than the image.
at::Tensor planes_at_image(const ScoreMaps& maps, std::int64_t height_px, std::int64_t width_px);

/// Labels [H,W] uint8 of maps at the image's size.
/// Throws: UserError where the rule and the background plane of the maps do not fit.
at::Tensor labels_by(const Rule& rule, const ScoreMaps& maps, std::int64_t height_px, std::int64_t width_px);

/// The maps at the image's size, with the rule's background plane in front. Requires: threshold or power.
ScoreMaps with_background(const Rule& rule, const ScoreMaps& maps, std::int64_t height_px, std::int64_t width_px);

}  // namespace seedbed::stages
