#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"

/// The loss terms of SEC (Kolesnikov and Lampert, Seed, expand and constrain, ECCV 2016, section 3; code kolesman/SEC,
/// `pylayers/pylayers/pylayers.py`) and of DSRG (Huang et al., Deep seeded region growing, CVPR 2018; code
/// speedinghzl/DSRG, the same file). Probabilities are [N,K,h,w], plane 0 the background; each term is a scalar.
///
/// Threads: [any-thread]. Gradient: kept, to the probabilities alone.
namespace seedbed::kernels {

/// What both codes add to each probability before its logarithm, the least marginal of the CRF, and what an empty set of
/// seeds is divided by.
inline constexpr double kSeedingFloor = 1e-4;

/// (probability + floor), renormalised over the planes (dim 1).
SEEDBED_API at::Tensor with_floor(const at::Tensor& probabilities_nkhw, double floor = kSeedingFloor);

/// max(probability, floor), renormalised over the planes: what SEC does to the CRF's marginals.
SEEDBED_API at::Tensor at_least_floor(const at::Tensor& probabilities_nkhw, double floor = kSeedingFloor);

/// Cues of a label map on a grid of height x width cells: [N,K,height,width] float32, 1 where the label at a cell's centre
/// is that plane's. 254 and 255 are nobody's cue. `labels_nhw`: [N,H,W] int64.
SEEDBED_API at::Tensor cues_from_labels(const at::Tensor& labels_nhw, std::int64_t num_labels, std::int64_t height,
                                        std::int64_t width);

/// How SEC's authors make cues of class maps (kolesman/SEC, notebooks).
struct CueRule {
  double foreground_ratio = 0.2;     ///< a cue lies above this share of its plane's maximum
  double background_fraction = 0.1;  ///< of the cells, those of least evidence are the background's cues
};

/// Cues of class maps [N,C,h,w]: [N,C+1,h,w] float32. A cell may be a cue of several of the classes in `present_nc`
/// ([N,C] bool); absent classes have none. The background's evidence is the largest plane of a present class, median
/// filtered over 3 x 3 cells as the release filters its saliency (which is the gradient of a second network); every cell
/// at the bound is a cue, so of a map that is 0 nearly everywhere more than the fraction are.
SEEDBED_API at::Tensor cues_from_maps(const at::Tensor& maps_nchw, const at::Tensor& present_nc, const CueRule& rule);

enum class SeedBalance {
  none,                   ///< SEC: all cues of an image weigh alike
  background_foreground,  ///< DSRG, equation 1: the background's cues and the others' are each averaged, then added
};

/// The mean over images of -log p at the cues, each image's divided by the number of its cues (at least the floor, so
/// an image without cues counts 0). `cues_nkhw`: [N,K,h,w], 1 where a pixel is a cue of a class, else 0; a pixel may be
/// a cue of several classes.
SEEDBED_API at::Tensor seed_loss(const at::Tensor& probabilities_nkhw, const at::Tensor& cues_nkhw,
                                 SeedBalance balance = SeedBalance::none);

/// Rank decays of the expansion term (equation 5 and section 4.1: they were chosen so that half of the weight lies on 10
/// and on 30 % of the positions of a 41 x 41 grid). 0 is the maximum, 1 the mean.
struct ExpandDecays {
  double foreground = 0.996;
  double background = 0.999;
  double absent = 0.0;
};

/// The mean over images of -mean_present log G_c - mean_absent log(1 - G_c) - log G_background, where G_c is the rank
/// weighted mean of plane c (kernels/map_pooling.hpp). `present_nc`: [N,K-1] bool. An image without present or without
/// absent classes has 0 in that term's place (the release divides by zero).
SEEDBED_API at::Tensor expand_loss(const at::Tensor& probabilities_nkhw, const at::Tensor& present_nc,
                                   const ExpandDecays& decays = {});

/// The mean over pixels of sum_c R_c log(R_c / p_c). `smoothed_nkhw` (R): positive, sums to 1. `ratio_clip` holds R / p
/// within the two values (DSRG: 0.05 and 20). R may have a graph of its own.
SEEDBED_API at::Tensor constrain_loss(const at::Tensor& probabilities_nkhw, const at::Tensor& smoothed_nkhw,
                                      std::optional<std::pair<double, double>> ratio_clip = std::nullopt);

/// `smoothed` by value; a gradient g that reaches it goes on to `source_nkhw` as (1 - smoothed) g: what DSRG's CRF layer
/// hands back to the probabilities that it was given (SEC's hands back nothing).
SEEDBED_API at::Tensor with_crf_gradient(const at::Tensor& smoothed_nkhw, const at::Tensor& source_nkhw);

}  // namespace seedbed::kernels
