#pragma once

#include <ATen/core/Tensor.h>

namespace seedbed::seeded {

/// Which pixels join a class (Huang et al., Deep Seeded Region Growing, CVPR 2018, section 3.2; speedinghzl/DSRG,
/// `pylayers/pylayers/pylayers.py`).
struct GrowingRule {
  double foreground = 0.85;  ///< a pixel's most likely label is sure of it above this probability
  double background = 0.99;  ///< the background has to be above both
  bool seeds_win = false;    ///< a seed keeps its label (the paper); else a sure pixel overrides it (the release)
};

/// Seeds after one growing step, float32 [N,K,h,w] of 0 and 1.
///
/// A sure pixel has its most likely label among the present ones, any other the label of its seed (of several, the highest:
/// the release does not say). Of each present label, in rising order, the pixels that are connected through their eight
/// neighbours with a seed of that label become seeds, but for those that hold exactly one seed, of another label; what
/// earlier labels have grown counts. No seed is lost.
/// `seeds_nkhw`: not 0 where a pixel is a seed. `present_nk`: bool, the background's first. All on the CPU.
/// Threads: [any-thread]; images of a batch run beside each other. Gradient: none.
at::Tensor grown_seeds(const at::Tensor& seeds_nkhw, const at::Tensor& present_nk, const at::Tensor& probabilities_nkhw,
                       const GrowingRule& rule);

}  // namespace seedbed::seeded
