// The goldens of rules that make labels of maps: constants, powers, and DRS's saliency with its conflicts.
#include <string>

#include <ATen/ATen.h>

#include "runners.hpp"
#include "stages/rule.hpp"

namespace seedbed::testing {
namespace {

using stages::Json;

ScoreMaps maps_of(const at::Tensor& planes_phw, std::vector<std::int64_t> planes) {
  ScoreMaps maps;
  maps.scores_nphw = planes_phw.unsqueeze(0);
  maps.planes = std::move(planes);
  maps.covered = {{0, 0, static_cast<double>(planes_phw.size(1)), static_cast<double>(planes_phw.size(2))}};
  return maps;
}

at::Tensor labels(const Json& rule, const ScoreMaps& maps, const at::Tensor& saliency_hw = {}) {
  const at::Tensor& scores = maps.scores_nphw;
  return stages::labels_by(stages::rule_from(rule, {}), maps, scores.size(2), scores.size(3), saliency_hw)
      .labels_nhw[0];
}

NamedTensors background_models(const Golden& golden) {
  const at::Tensor cams = golden.input("cams"), keys = golden.input("keys");
  std::vector<std::int64_t> classes, places;
  for (std::int64_t i = 0; i < keys.numel(); ++i) {
    classes.push_back(keys[i].item<std::int64_t>() + 1);
    places.push_back(i + 1);
  }
  NamedTensors found;
  for (const int alpha : {1, 4, 16, 24, 32}) {
    const Json rule{{"rule", "power"}, {"alpha", alpha}};
    const ScoreMaps maps = maps_of(cams, places);  // the golden counts planes and not classes here
    found["bg_alpha" + std::to_string(alpha)] =
        stages::with_background(stages::rule_from(rule, {}), maps, cams.size(1), cams.size(2)).scores_nphw[0][0];
    found["argmax_alpha" + std::to_string(alpha)] = labels(rule, maps);
  }
  for (const auto& [name, value] : {std::pair("label_thr15", 0.15), std::pair("label_thr50", 0.5)})
    found[name] = labels({{"rule", "threshold"}, {"value", value}}, maps_of(cams, classes)).to(at::kLong);
  return found;
}

// The golden's saliency is the mask S, the rule's the grey levels that it is made of.
NamedTensors drs_pseudo_label(const Golden& golden) {
  const at::Tensor maps = golden.input("maps"), saliency = (golden.input("saliency") * 255).to(at::kByte);
  std::vector<std::int64_t> classes;
  for (std::int64_t label = 1; label <= maps.size(0); ++label) classes.push_back(label);
  Json rule{{"rule", "saliency"}, {"conflict", 0.9}, {"conflict_count", 3}, {"floor", 0.2}};
  NamedTensors found;
  found["label"] = labels(rule, maps_of(maps, classes), saliency);
  rule["conflict_count"] = 2;
  found["label_conflict2"] = labels(rule, maps_of(maps, classes), saliency);
  return found;
}

}  // namespace

std::vector<GoldenRunner> background_runners() {
  return {
      {"background", "inline code", "", background_models},
      {"drs", "inline code", "pseudo_seg_label_gen.py", drs_pseudo_label},
  };
}

}  // namespace seedbed::testing
