#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include "metrics/sweep.hpp"
#include "seedbed/types.hpp"

namespace seedbed::stages {

using Json = nlohmann::ordered_json;

enum class RuleKind { argmax, threshold, power, two_thresholds, two_powers, saliency };

/// Background from a saliency map S (DRS, AAAI 2021, section 3.6 of its code): the background's score is 1 - S, evidence
/// below `floor` is none.
struct SaliencyRule {
  std::string side = "saliency";  ///< name of the side input
  double salient = 50;            ///< S is 1 above this grey level, else 0
  bool soft = false;              ///< S is the grey level over 255 instead
  double floor = 0.2;
  bool doubt_salient = true;  ///< pixels that are salient and background all the same are in doubt
};

/// What may leave a pixel in doubt whatever the rule, and what then stands there.
struct DoubtRule {
  double conflict = 0.9;  ///< planes above it (the background's score is one of them) contradict each other ...
  std::int64_t conflict_count = 0;  ///< ... where there are at least so many; 0 = never
  double ignore_below = 0;          ///< the winning score must reach it
  std::int64_t label = kIgnoreLabel;
};

/// How score maps become labels, or get a background plane.
struct Rule {
  RuleKind kind = RuleKind::argmax;
  double value = 0;    ///< threshold: the constant; power: alpha
  double high = 0;     ///< two_thresholds: foreground above; two_powers: alpha of the weak background
  double low = 0;      ///< two_thresholds: background where nothing is above; two_powers: alpha of the strong one
  std::string origin;  ///< of the value, as metrics say it: "" | "fixed" | "chosen"
  SaliencyRule saliency;
  DoubtRule doubt;
  bool confidence = false;  ///< labels come with the winning score, 0..1

  bool needs_saliency() const { return kind == RuleKind::saliency; }
};

/// Reads a RULE table; where it holds `choose`, the value is `chosen`.
/// Throws: ContractError for an unknown rule, and where a value is missing.
Rule rule_from(const Json& table, std::optional<double> chosen);

/// Side inputs that the rule opens.
std::set<std::string> side_of(const Rule& rule);

metrics::SweptBackground swept_background_from(const std::string& rule);

/// The planes of one image at the image's size (bilinear, half-pixel centres), [P,H,W]; P may be 0.
/// Throws: ContractError for maps that cover less or more than the image.
at::Tensor planes_at_image(const ScoreMaps& maps, std::int64_t height_px, std::int64_t width_px);

/// Labels (N = 1) of maps at the image's size. The winning score, which is the confidence, is the label's plane; for
/// background it is the background's score (1 - S, (1 - max)^alpha, its plane), and 1 - max where the rule compares with a
/// constant. `saliency_hw`: [H,W] uint8 where the rule needs it.
/// Throws: UserError where the rule and the background plane of the maps do not fit.
LabelMaps labels_by(const Rule& rule, const ScoreMaps& maps, std::int64_t height_px, std::int64_t width_px,
                    const at::Tensor& saliency_hw = {});

/// The maps at the image's size, with the rule's background plane in front. Requires: threshold, power or saliency.
ScoreMaps with_background(const Rule& rule, const ScoreMaps& maps, std::int64_t height_px, std::int64_t width_px,
                          const at::Tensor& saliency_hw = {});

}  // namespace seedbed::stages
