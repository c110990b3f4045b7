#include "site_choice.hpp"

#include <algorithm>
#include <functional>
#include <set>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"

namespace seedbed::drs {
namespace {

// Leaves everything as it is, and remembers where it was asked.
class Recorder : public SiteRewriter {
 public:
  at::Tensor rewrite(const Site& site, const at::Tensor& input,
                     const std::function<at::Tensor(const at::Tensor&)>& original) override {
    sites.push_back(site);
    return original(input);
  }
  std::vector<Site> sites;
};

bool is_inside(const Site& site, const Site& block) { return site.name.starts_with(block.name + "."); }

// The last activations of each block whose channels add up to the block's: one of a residual block, those side by side
// of a fire module. Activations outside of all blocks only count where a backbone has no blocks.
std::vector<Site> output_activations(const std::vector<Site>& sites) {
  std::vector<Site> found;
  bool has_blocks = false;
  for (const Site& block : sites) {
    if (block.kind != "block") continue;
    has_blocks = true;
    std::int64_t missing = block.channels;
    std::vector<Site> outputs;
    for (auto site = sites.rbegin(); site != sites.rend() && missing > 0; ++site) {
      if (site->kind != "activation" || !is_inside(*site, block)) continue;
      outputs.insert(outputs.begin(), *site);
      missing -= site->channels;
    }
    found.insert(found.end(), outputs.begin(), outputs.end());
  }
  if (has_blocks) return found;
  std::ranges::copy_if(sites, std::back_inserter(found), [](const Site& site) { return site.kind == "activation"; });
  return found;
}

std::vector<Site> candidates(const Backbone& backbone, bool inner_activations) {
  const std::vector<Site> sites = backbone.sites();
  if (!inner_activations) return output_activations(sites);
  std::vector<Site> found;
  std::ranges::copy_if(sites, std::back_inserter(found), [](const Site& site) { return site.kind == "activation"; });
  return found;
}

// 1..5 for "stage1".."stage5", 0 for any other word.
int stage_number(const std::string& word) {
  const bool fits = word.size() == 6 && word.starts_with("stage") && word.back() >= '1' && word.back() <= '5';
  return fits ? word.back() - '0' : 0;
}

std::set<std::string> names_of_stage(Backbone& backbone, int stage, RunContext& run) {
  std::set<std::string> names;
  for (const Site& site : sites_up_to(backbone, "stage" + std::to_string(stage), run)) names.insert(site.name);
  if (stage == 1) return names;
  for (const Site& site : sites_up_to(backbone, "stage" + std::to_string(stage - 1), run)) names.erase(site.name);
  return names;
}

[[noreturn]] void refuse(const std::string& word, const Backbone& backbone) {
  std::vector<std::string> accepted{"all", "backbone", "extra", "stage1", "stage2", "stage3", "stage4", "stage5"};
  for (const Site& site : backbone.sites()) {
    if (site.kind == "activation") accepted.push_back(site.name);
  }
  const std::string nearest = nearest_name(word, accepted);
  throw UserError("sites", "regions cannot be suppressed at `" + word + "`",
                  (nearest.empty() ? "" : "nearest: `" + nearest + "`; ") +
                      std::string("`all`, `backbone`, `extra`, `stage1` to `stage5`, or an activation's name"));
}

}  // namespace

std::vector<Site> sites_up_to(Backbone& backbone, const std::string& tap, RunContext& run) {
  const std::int64_t multiple = backbone.size_multiple_px();
  const std::int64_t side = (backbone.minimum_size_px() + multiple - 1) / multiple * multiple;
  Recorder recorder;
  ForwardRequest request;
  request.images_nchw = at::zeros({1, 3, side, side}, at::TensorOptions(run.device()).dtype(at::kFloat));
  request.keep = {tap};
  request.rewriter = &recorder;
  request.run = &run;
  const c10::NoGradGuard no_grad;
  backbone.forward(request);
  return recorder.sites;
}

SiteChoice choose_sites(Backbone& backbone, const std::vector<std::string>& words, bool inner_activations,
                        RunContext& run) {
  SiteChoice choice;
  std::set<std::string> chosen;
  const std::vector<Site> several = candidates(backbone, inner_activations);
  const auto take = [&](const std::function<bool(const Site&)>& fits) {
    for (const Site& site : several) {
      if (fits(site)) chosen.insert(site.name);
    }
  };
  const std::vector<Site> sites = backbone.sites();
  for (const std::string& word : words) {
    if (word == "all" || word == "extra") choice.extra = true;
    if (word == "extra") continue;
    if (word == "all" || word == "backbone") {
      take([](const Site&) { return true; });
    } else if (const int stage = stage_number(word); stage != 0) {
      const std::set<std::string> names = names_of_stage(backbone, stage, run);
      take([&](const Site& site) { return names.contains(site.name); });
    } else {
      const auto site = std::ranges::find(sites, word, &Site::name);
      if (site == sites.end() || site->kind != "activation") refuse(word, backbone);
      chosen.insert(word);
    }
  }
  std::ranges::copy_if(sites, std::back_inserter(choice.of_backbone),
                       [&](const Site& site) { return chosen.contains(site.name); });
  return choice;
}

}  // namespace seedbed::drs
