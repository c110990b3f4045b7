#include "stages/rule.hpp"

#include <map>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::stages {
namespace {

const std::map<std::string, RuleKind> kRules{
    {"argmax", RuleKind::argmax},         {"threshold", RuleKind::threshold},
    {"power", RuleKind::power},           {"two_thresholds", RuleKind::two_thresholds},
    {"two_powers", RuleKind::two_powers}, {"saliency", RuleKind::saliency}};

double required(const Json& table, const char* key) {
  if (!table.contains(key)) {
    throw ContractError("study", "a resolved rule has its value", std::string("`") + key + "`", table.dump());
  }
  return table.at(key).get<double>();
}

SaliencyRule saliency_rule_from(const Json& table) {
  SaliencyRule rule;
  rule.side = table.value("side", rule.side);
  rule.salient = table.value("salient", rule.salient);
  rule.soft = table.value("soft", rule.soft);
  rule.floor = table.value("floor", rule.floor);
  rule.doubt_salient = table.value("doubt_salient", rule.doubt_salient);
  return rule;
}

DoubtRule doubt_rule_from(const Json& table) {
  DoubtRule rule;
  rule.conflict = table.value("conflict", rule.conflict);
  rule.conflict_count = table.value("conflict_count", rule.conflict_count);
  rule.ignore_below = table.value("ignore_below", rule.ignore_below);
  rule.label = table.value("doubtful", "ignore") == "undecided" ? kUndecidedLabel : kIgnoreLabel;
  return rule;
}

void require_background(const ScoreMaps& maps, bool present) {
  if (maps.has_background() == present) return;
  throw UserError("",
                  present ? "The rule `argmax` needs maps with a background plane."
                          : "The rule needs maps without a background plane.",
                  present ? "`threshold`, `power` or `saliency`, or a refiner that adds the plane" : "`argmax`");
}

/// Planes of one image and what a rule compares them with.
struct Compared {
  at::Tensor planes_phw;  ///< of classes
  std::vector<std::int64_t> classes;
  at::Tensor background_hw;  ///< its score; undefined where the rule compares with constants
  at::Tensor salient_hw;     ///< bool; undefined without saliency
};

// S, and which pixels it calls salient.
std::pair<at::Tensor, at::Tensor> saliency_of(const SaliencyRule& rule, const at::Tensor& saliency_hw) {
  if (!saliency_hw.defined()) {
    throw ContractError("stages", "a rule that needs saliency gets it", "`" + rule.side + "`", "none");
  }
  const at::Tensor salient = saliency_hw.gt(rule.salient);
  return {rule.soft ? saliency_hw.to(at::kFloat).div_(255.0) : salient.to(at::kFloat), salient};
}

at::Tensor background_score(const Rule& rule, const at::Tensor& planes_phw, const at::Tensor& saliency_hw) {
  const at::Tensor none = at::zeros({planes_phw.size(1), planes_phw.size(2)}, planes_phw.options());
  switch (rule.kind) {
    case RuleKind::threshold:
      return none.fill_(rule.value);
    case RuleKind::power: {
      const at::Tensor highest = planes_phw.size(0) == 0 ? none : planes_phw.amax(0);
      return (1.0 - highest).clamp_min(0).pow(rule.value);
    }
    case RuleKind::saliency:
      return 1.0 - saliency_of(rule.saliency, saliency_hw).first;
    case RuleKind::argmax:
    case RuleKind::two_thresholds:
    case RuleKind::two_powers:
      break;
  }
  throw ContractError("study", "a background plane is made by `threshold`, `power` or `saliency`", "one of these",
                      "another rule");
}

Compared compared(const Rule& rule, const ScoreMaps& maps, at::Tensor planes, const at::Tensor& saliency_hw) {
  Compared images{std::move(planes), maps.planes, {}, {}};
  if (rule.kind == RuleKind::argmax) {
    images.background_hw = images.planes_phw[0];
    images.planes_phw = images.planes_phw.slice(0, 1);
    images.classes.erase(images.classes.begin());
  } else if (rule.kind == RuleKind::power) {
    images.background_hw = background_score(rule, images.planes_phw, saliency_hw);
  } else if (rule.kind == RuleKind::saliency) {
    images.background_hw = background_score(rule, images.planes_phw, saliency_hw);
    images.salient_hw = saliency_of(rule.saliency, saliency_hw).second;
    images.planes_phw = images.planes_phw.masked_fill(images.planes_phw.lt(rule.saliency.floor), 0);
  }
  return images;
}

at::Tensor labels_above(double value, metrics::SweptBackground background, const Compared& images) {
  if (images.planes_phw.size(0) == 0)
    return at::zeros({images.planes_phw.size(1), images.planes_phw.size(2)}, at::kByte);
  return metrics::label_above(images.planes_phw, images.classes, metrics::deciding_threshold(background, value));
}

// The first largest plane where it exceeds the background's score, as an argmax with the background first.
at::Tensor labels_beside_background(const Compared& images) {
  if (images.classes.empty()) return at::zeros(images.background_hw.sizes(), at::kByte);
  const auto [highest, place] = images.planes_phw.max(0);
  const at::Tensor names = at::tensor(images.classes, at::kLong).to(at::kByte);
  const at::Tensor classes = names.index_select(0, place.flatten()).view_as(place);
  return classes.masked_fill(highest.le(images.background_hw), kBackgroundLabel);
}

// Foreground beside a strong background, background beside a weak one, doubt between.
at::Tensor labels_of_two(const Rule& rule, double strong, double weak, metrics::SweptBackground background,
                         const Compared& images) {
  const at::Tensor sure = labels_above(strong, background, images);
  const at::Tensor loose = labels_above(weak, background, images);
  return sure.masked_fill(sure.eq(kBackgroundLabel).logical_and(loose.ne(kBackgroundLabel)), rule.doubt.label);
}

at::Tensor decided(const Rule& rule, const Compared& images) {
  switch (rule.kind) {
    case RuleKind::threshold:
      return labels_above(rule.value, metrics::SweptBackground::constant, images);
    case RuleKind::power:
      return labels_above(rule.value, metrics::SweptBackground::power, images);
    case RuleKind::two_thresholds:
      return labels_of_two(rule, rule.high, rule.low, metrics::SweptBackground::constant, images);
    case RuleKind::two_powers:
      return labels_of_two(rule, rule.low, rule.high, metrics::SweptBackground::power, images);
    case RuleKind::argmax:
    case RuleKind::saliency:
      return labels_beside_background(images);
  }
  throw ContractError("stages", "rules are declared ones", "a declared rule", "another");
}

at::Tensor winning_score(const at::Tensor& labels_hw, const Compared& images) {
  const bool none = images.classes.empty();
  const at::Tensor zero = at::zeros(labels_hw.sizes(), images.planes_phw.options());
  const at::Tensor highest = none ? zero : images.planes_phw.amax(0);
  const at::Tensor background = images.background_hw.defined() ? images.background_hw : 1.0 - highest;
  return at::where(labels_hw.eq(kBackgroundLabel), background, highest).clamp(0, 1);
}

// How many planes, the background's among them, say that the pixel is theirs.
at::Tensor num_claims(double above, const Compared& images) {
  at::Tensor claims = images.planes_phw.gt(above).sum(0);
  return images.background_hw.defined() ? claims + images.background_hw.gt(above) : claims;
}

at::Tensor in_doubt(const Rule& rule, const at::Tensor& labels_hw, const at::Tensor& score_hw, const Compared& images) {
  at::Tensor doubt = at::zeros(labels_hw.sizes(), at::kBool);
  if (rule.doubt.conflict_count > 0) doubt |= num_claims(rule.doubt.conflict, images).ge(rule.doubt.conflict_count);
  if (rule.doubt.ignore_below > 0) doubt |= score_hw.lt(rule.doubt.ignore_below);
  if (images.salient_hw.defined() && rule.saliency.doubt_salient) {
    doubt |= images.salient_hw.logical_and(labels_hw.eq(kBackgroundLabel));
  }
  return doubt;
}

}  // namespace

Rule rule_from(const Json& table, std::optional<double> chosen) {
  const std::string name = table.at("rule").get<std::string>();
  const auto found = kRules.find(name);
  if (found == kRules.end()) {
    throw ContractError("study", "a resolved rule is a known one",
                        "`argmax`, `threshold`, `power`, `two_thresholds`, `two_powers` or `saliency`",
                        "`" + name + "`");
  }
  Rule rule;
  rule.kind = found->second;
  rule.doubt = doubt_rule_from(table);
  rule.confidence = table.value("confidence", false);
  if (rule.kind == RuleKind::argmax) return rule;
  rule.origin = table.contains("choose") ? "chosen" : "fixed";
  if (rule.kind == RuleKind::two_thresholds) {
    rule.high = required(table, "high");
    rule.low = required(table, "low");
  } else if (rule.kind == RuleKind::two_powers) {
    rule.high = required(table, "alpha_high");
    rule.low = required(table, "alpha_low");
  } else if (rule.kind == RuleKind::saliency) {
    rule.saliency = saliency_rule_from(table);
  } else if (rule.origin == "fixed") {
    rule.value = required(table, rule.kind == RuleKind::power ? "alpha" : "value");
  } else if (chosen) {
    rule.value = *chosen;
  } else {
    throw ContractError("plan", "a rule whose value is chosen has an input `chosen`", "the key of a choose stage",
                        "none");
  }
  return rule;
}

std::set<std::string> side_of(const Rule& rule) {
  if (!rule.needs_saliency()) return {};
  return {rule.saliency.side};
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

LabelMaps labels_by(const Rule& rule, const ScoreMaps& maps, std::int64_t height_px, std::int64_t width_px,
                    const at::Tensor& saliency_hw) {
  require_background(maps, rule.kind == RuleKind::argmax);
  at::Tensor planes = planes_at_image(maps, height_px, width_px).to(at::kCPU);
  if (planes.size(0) != static_cast<std::int64_t>(maps.planes.size())) {
    throw UserError("", "Class-agnostic maps name no classes, so no rule makes labels of them.",
                    "a refiner that assigns classes");
  }
  const Compared images = compared(rule, maps, std::move(planes), saliency_hw);
  at::Tensor labels = decided(rule, images);
  LabelMaps result;
  const at::Tensor score = winning_score(labels, images);
  labels = labels.masked_fill(in_doubt(rule, labels, score, images), rule.doubt.label);
  result.labels_nhw = labels.unsqueeze(0);
  if (rule.confidence) result.confidence_nhw = score.masked_fill(labels.ge(kUndecidedLabel), 0).unsqueeze(0);
  return result;
}

ScoreMaps with_background(const Rule& rule, const ScoreMaps& maps, std::int64_t height_px, std::int64_t width_px,
                          const at::Tensor& saliency_hw) {
  require_background(maps, false);
  const at::Tensor planes = planes_at_image(maps, height_px, width_px);
  const at::Tensor background = background_score(rule, planes, saliency_hw).unsqueeze(0);
  ScoreMaps result;
  result.scores_nphw = at::cat({background, planes}).unsqueeze(0);
  result.planes = maps.planes;
  result.planes.insert(result.planes.begin(), kBackgroundLabel);
  result.value = maps.value;
  result.covered = maps.covered;
  return result;
}

}  // namespace seedbed::stages
