#pragma once

#include <string>
#include <vector>

#include "seedbed/backbone.hpp"
#include "seedbed/run_context.hpp"

namespace seedbed::drs {

/// Where regions are suppressed, as the parameter `sites` says it.
struct SiteChoice {
  std::vector<Site> of_backbone;  ///< activations, in order of execution
  bool extra = false;             ///< behind the generator's own layers too
};

/// Each word is `all` (backbone and extra layers), `backbone`, `stage1` ... `stage5`, `extra`, or the name of a site. Of
/// a block, the words for several sites take the activations that make up its output, or with `inner_activations` all.
///
/// Throws: UserError for a word that names nothing, with the nearest one, and for a site that is no activation.
SiteChoice choose_sites(Backbone& backbone, const std::vector<std::string>& words, bool inner_activations,
                        RunContext& run);

/// The sites that a pass to `tap` runs through, in order of execution: found by a pass over a small black image.
std::vector<Site> sites_up_to(Backbone& backbone, const std::string& tap, RunContext& run);

}  // namespace seedbed::drs
