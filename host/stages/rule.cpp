#include "stages/rule.hpp"

#include <map>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::stages {
namespace {

const std::map<std::string, RuleKind> kRules{{"argmax", RuleKind::argmax},
                                             {"threshold", RuleKind::threshold},
                                             {"power", RuleKind::power},
                                             {"two_thresholds", RuleKind::two_thresholds}};

double required(const Json& table, const char* key) {
  if (!table.contains(key)) {
    throw ContractError("study", "a resolved rule has its value", std::string("`") + key + "`", table.dump());
  }
  return table.at(key).get<double>();
}

at::Tensor labels_above(double value, metrics::SweptBackground background, const at::Tensor& planes_phw,
                        const std::vector<std::int64_t>& planes) {
  if (planes_phw.size(0) == 0) return at::zeros({planes_phw.size(1), planes_phw.size(2)}, at::kByte);
  return metrics::label_above(planes_phw, planes, metrics::deciding_threshold(background, value));
}

at::Tensor argmax_labels(const at::Tensor& planes_phw, const std::vector<std::int64_t>& planes) {
  const at::Tensor names = at::tensor(planes, at::kLong).to(at::kByte);
  return names.index_select(0, planes_phw.argmax(0).flatten()).view({planes_phw.size(1), planes_phw.size(2)});
}

void require_background(const ScoreMaps& maps, bool present) {
  if (maps.has_background() == present) return;
  throw UserError("", present ? "The rule `argmax` needs maps with a background plane." : "The rule needs maps without a background plane.",
                  present ? "`threshold` or `power`, or a refiner that adds the plane" : "`argmax`");
}

}  // namespace

Rule rule_from(const Json& table, std::optional<double> chosen) {
  const std::string name = table.at("rule").get<std::string>();
  const auto found = kRules.find(name);
  if (found == kRules.end()) {
    throw ContractError("study", "a resolved rule is a known one", "`argmax`, `threshold`, `power` or `two_thresholds`", "`" + name + "`");
  }
  Rule rule;
  rule.kind = found->second;
  if (rule.kind == RuleKind::argmax) return rule;
  rule.origin = table.contains("choose") ? "chosen" : "fixed";
  if (rule.kind == RuleKind::two_thresholds) {
    rule.high = required(table, "high");
    rule.low = required(table, "low");
  } else if (rule.origin == "fixed") {
    rule.value = required(table, rule.kind == RuleKind::power ? "alpha" : "value");
  } else if (chosen) {
    rule.value = *chosen;
  } else {
    throw ContractError("plan", "a rule whose value is chosen has an input `chosen`", "the key of a choose stage", "none");
  }
  return rule;
}

metrics::SweptBackground swept_background_from(const std::string& rule) {
  if (rule == "threshold") return metrics::SweptBackground::constant;
  if (rule == "power") return metrics::SweptBackground::power;
  throw ContractError("study", "a value is swept under `threshold` or `power`", "one of these", "`" + rule + "`");
}

at::Tensor planes_at_image(const ScoreMaps& maps, std::int64_t height_px, std::int64_t width_px) {
  const Area& area = maps.covered.at(0);
  if (area.top != 0 || area.left != 0 || area.bottom != static_cast<double>(height_px) ||
      area.right != static_cast<double>(width_px)) {
    throw ContractError("map stage", "maps handed on cover the whole image",
                        std::to_string(height_px) + " x " + std::to_string(width_px) + " pixels",
                        "rows to " + std::to_string(area.bottom) + ", columns to " + std::to_string(area.right));
  }
  const at::Tensor scores = maps.scores_nphw[0];
  if (scores.size(0) == 0) return at::zeros({0, height_px, width_px}, scores.options());
  if (scores.size(1) == height_px && scores.size(2) == width_px) return scores;
  return kernels::resize_maps(scores, height_px, width_px, /*align_corners=*/false);
}

at::Tensor labels_by(const Rule& rule, const ScoreMaps& maps, std::int64_t height_px, std::int64_t width_px) {
  require_background(maps, rule.kind == RuleKind::argmax);
  const at::Tensor planes = planes_at_image(maps, height_px, width_px).to(at::kCPU);
  if (planes.size(0) != static_cast<std::int64_t>(maps.planes.size())) {
    throw UserError("", "Class-agnostic maps name no classes, so no rule makes labels of them.", "a refiner that assigns classes");
  }
  switch (rule.kind) {
    case RuleKind::argmax: return argmax_labels(planes, maps.planes);
    case RuleKind::threshold: return labels_above(rule.value, metrics::SweptBackground::constant, planes, maps.planes);
    case RuleKind::power: return labels_above(rule.value, metrics::SweptBackground::power, planes, maps.planes);
    case RuleKind::two_thresholds: {
      const at::Tensor sure = labels_above(rule.high, metrics::SweptBackground::constant, planes, maps.planes);
      const at::Tensor loose = labels_above(rule.low, metrics::SweptBackground::constant, planes, maps.planes);
      const at::Tensor undecided = sure.eq(kBackgroundLabel).logical_and(loose.ne(kBackgroundLabel));
      return sure.masked_fill(undecided, kIgnoreLabel);
    }
  }
  throw ContractError("stages", "rules are declared ones", "a declared rule", "another");
}

ScoreMaps with_background(const Rule& rule, const ScoreMaps& maps, std::int64_t height_px, std::int64_t width_px) {
  require_background(maps, false);
  const at::Tensor planes = planes_at_image(maps, height_px, width_px);
  at::Tensor background = at::zeros({1, height_px, width_px}, planes.options());
  if (rule.kind == RuleKind::threshold) {
    background.fill_(rule.value);
  } else if (rule.kind == RuleKind::power) {
    const at::Tensor highest = planes.size(0) == 0 ? background : planes.amax(0, /*keepdim=*/true);
    background = (1.0 - highest).clamp_min(0).pow(rule.value);
  } else {
    throw ContractError("study", "a background plane is made by `threshold` or `power`", "one of these", "another rule");
  }
  ScoreMaps result;
  result.scores_nphw = at::cat({background, planes}).unsqueeze(0);
  result.planes = maps.planes;
  result.planes.insert(result.planes.begin(), kBackgroundLabel);
  result.value = maps.value;
  result.covered = maps.covered;
  return result;
}

}  // namespace seedbed::stages
