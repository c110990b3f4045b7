#pragma once

#include <cstdint>
#include <functional>

#include <nlohmann/json.hpp>

#include "evaluation/settings.hpp"

namespace seedbed::evaluation {

/// Images scored so far, of all. Called from any thread, one at a time.
using Progress = std::function<void(std::int64_t done, std::int64_t total)>;

/// Scores a folder of label maps or score maps against a folder of masks:
/// {"images", "labels": [names], "not_scored": results without a mask or outside the list, "background": whether scores
/// have one (null for predictions), "metrics": [{"name", "class" (""), "value", "rule", "rule_value"}],
/// "curve": {"name", "x", "values", "scores"} of a sweep}.
///
/// Throws: UserError naming the file: missing results, sizes that differ, labels without a class, damaged files, void in
/// predictions where it is refused.
nlohmann::ordered_json evaluate(const Settings& settings, const Progress& progress);

}  // namespace seedbed::evaluation
