#include "dsrg.hpp"

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/fine_tuning_parameters.hpp"

namespace seedbed::seeded {
namespace {

SeededOptions options_of(const DsrgParameters& parameters) {
  return {.fine_tuning = fine_tuning_options(parameters),
          .seeds_from_maps = parameters.seeds == "maps",
          .cues = {.foreground_ratio = parameters.fg_ratio, .background_fraction = parameters.bg_fraction},
          .floor = parameters.prob_floor};
}

}  // namespace

Dsrg::Dsrg(const DsrgParameters& parameters, const ModelContext& context)
    : SeededSegmenter(options_of(parameters), {"seed", "constrain"}, context),
      parameters_(parameters),
      rule_{.foreground = parameters.foreground_threshold,
            .background = parameters.background_threshold,
            .seeds_win = parameters.conflict == "seed"},
      layer_{.iterations = parameters.crf_iterations,
             .gauss_sigma = parameters.gauss_sigma / parameters.crf_scale,
             .gauss_weight = parameters.gauss_weight,
             .bilateral_xy = parameters.bilateral_xy / parameters.crf_scale,
             .bilateral_rgb = parameters.bilateral_rgb,
             .bilateral_weight = parameters.bilateral_weight} {
  const std::vector<double>& clip = parameters_.ratio_clip;
  if (clip.empty()) return;
  if (clip.size() != 2 || clip[0] <= 0 || clip[1] <= clip[0]) {
    throw UserError("ratio_clip", "a ratio is held between two rising numbers above 0, and these are not",
                    "[0.05, 20.0] as DSRG, or [] to hold it nowhere");
  }
  ratio_clip_.emplace(clip[0], clip[1]);
}

LossTerms Dsrg::own_terms(const Seeded& seeded, const StepRequest& request) {
  const at::Tensor& probabilities = seeded.probabilities_nkhw;
  const bool seeds_count = counts(request, "seed"), boundary_counts = counts(request, "constrain");
  const bool grows_on_crf = parameters_.grow_from == "crf";
  at::Tensor smoothed;
  if (boundary_counts || (seeds_count && grows_on_crf)) {
    smoothed = kernels::crf_layer(probabilities, seeded.images_nhwc, layer_);
  }
  LossTerms terms;
  if (seeds_count) {
    const at::Tensor background = at::ones({seeded.present_nc.size(0), 1}, seeded.present_nc.options());
    const at::Tensor grown = grown_seeds(seeded.cues_nkhw.cpu(), at::cat({background, seeded.present_nc}, 1).cpu(),
                                         (grows_on_crf ? smoothed : probabilities).cpu(), rule_);
    terms.emplace_back("seed", kernels::seed_loss(probabilities, grown.to(probabilities.device()),
                                                  kernels::SeedBalance::background_foreground));
  }
  if (boundary_counts) {
    if (parameters_.crf_gradient == "released") smoothed = kernels::with_crf_gradient(smoothed, probabilities);
    terms.emplace_back(
        "constrain",
        kernels::constrain_loss(probabilities, kernels::at_least_floor(smoothed, parameters_.prob_floor), ratio_clip_));
  }
  return terms;
}

}  // namespace seedbed::seeded
