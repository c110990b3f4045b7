#pragma once

#include <set>
#include <string>
#include <vector>

#include "images/batch_loader.hpp"
#include "stages/stage_context.hpp"

namespace seedbed::stages {

/// Lets the loader bring what a fitted method needs of earlier stages beside each image:
///   "maps"         the maps of the stage's input `maps`, with the plane that its setting `background` adds
///   "maps:NAME"    the maps of its input "maps:NAME", as companion NAME, with the plane of `companions.NAME.background`
///   "labels:NAME"  the labels of its input "labels:NAME", as companion NAME
///   "confidence"   the confidence of its input `labels`: [N,1,H,W], the companion of that name
/// Other needs are not its concern. Throws: ContractError where a stage lacks the input, UserError where files are gone.
void add_companions(const StageContext& context, const std::vector<std::string>& needs, images::LoaderOptions& options);

/// The side inputs that making these companions opens.
std::set<std::string> companion_side(const StageContext& context, const std::vector<std::string>& needs);

}  // namespace seedbed::stages
