#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "study/resolve_method.hpp"
#include "study/roles.hpp"

// The host tables of a method: TRAIN, LOCALISE and RULE of RESOLVED.md.
namespace seedbed::study {

/// What a `train` table fits, which decides what it may hold.
enum class Fitted { seed_generator, refiner, segmenter };

/// `choices`: whose presets `train.preset` may name, the trained method first. `given`: the study's table, or null.
Json read_train(Fitted fitted, const std::vector<const MethodChoice*>& choices, const Node* given,
                const std::string& path, const Roles& roles, Findings& findings);

Json read_localise(const MethodChoice& generator, const Node* given, const std::string& path, Findings& findings);

/// What a rule is for, which decides what it may be.
enum class RuleUse {
  labels,          ///< pseudo_label.background: any rule, its number may be chosen
  plane,           ///< refiner.background: threshold, power or saliency, with its numbers
  training_labels  ///< refiner.labels: any rule, with its numbers
};

/// nullopt where it is not legal (which is found).
std::optional<Json> read_rule(const Table& table, const Place& place, const std::string& path, RuleUse use,
                              const Roles& roles, Findings& findings);

/// The steps of `fusion`, a name or the list itself; those of `plain` without it.
std::vector<std::string> read_fusion(TableReader& reader);

/// Finds a list wrong that leaves several maps, or a mirrored one. `views` holds `scales` and `flip`.
void check_fusion(TableReader& reader, const Json& views, const std::vector<std::string>& fusion);

/// Checks "native", "long_side:448" ... at `place`.
void check_input(const std::string& text, const Place& place, Findings& findings);

}  // namespace seedbed::study
