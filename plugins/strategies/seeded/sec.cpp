#include "sec.hpp"

#include <ATen/ATen.h>

#include "seedbed/fine_tuning_parameters.hpp"

namespace seedbed::seeded {
namespace {

SeededOptions options_of(const SecParameters& parameters) {
  return {.fine_tuning = fine_tuning_options(parameters),
          .seeds_from_maps = parameters.seeds == "maps",
          .cues = {.foreground_ratio = parameters.fg_ratio, .background_fraction = parameters.bg_fraction},
          .floor = parameters.prob_floor};
}

}  // namespace

Sec::Sec(const SecParameters& parameters, const ModelContext& context)
    : SeededSegmenter(options_of(parameters), {"seed", "expand", "constrain"}, context),
      decays_{.foreground = parameters.q_fg, .background = parameters.q_bg, .absent = parameters.q_absent},
      layer_{.iterations = parameters.crf_iterations,
             .gauss_sigma = parameters.gauss_sigma / parameters.crf_scale,
             .gauss_weight = parameters.gauss_weight,
             .bilateral_xy = parameters.bilateral_xy / parameters.crf_scale,
             .bilateral_rgb = parameters.bilateral_rgb,
             .bilateral_weight = parameters.bilateral_weight},
      floor_(parameters.prob_floor) {}

LossTerms Sec::own_terms(const Seeded& seeded, const StepRequest& request) {
  const at::Tensor& probabilities = seeded.probabilities_nkhw;
  LossTerms terms;
  if (counts(request, "seed")) terms.emplace_back("seed", kernels::seed_loss(probabilities, seeded.cues_nkhw));
  if (counts(request, "expand")) {
    terms.emplace_back("expand", kernels::expand_loss(probabilities, seeded.present_nc, decays_));
  }
  if (counts(request, "constrain")) {
    const at::Tensor smoothed = kernels::crf_layer(seeded.logits_nkhw, seeded.images_nhwc, layer_);
    terms.emplace_back("constrain", kernels::constrain_loss(probabilities, kernels::at_least_floor(smoothed, floor_)));
  }
  return terms;
}

}  // namespace seedbed::seeded
