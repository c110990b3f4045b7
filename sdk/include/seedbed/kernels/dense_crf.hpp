#pragma once

#include <cstdint>
#include <memory>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"

namespace seedbed::kernels {

/// How the Gaussian sums of the pairwise terms are computed.
enum class CrfFilter {
  lattice,  ///< the permutohedral lattice, as pydensecrf and with it all published numbers
  exact     ///< every pair of pixels: quadratic in the pixels, for small images and as a yardstick
};

/// A fully connected CRF (Kraehenbuehl and Koltun, NIPS 2011) with Potts labels. Defaults: jiwoon-ahn/psa.
struct DenseCrfOptions {
  double gauss_sigma = 3.0;  ///< pixels
  double gauss_weight = 3.0;
  double bilateral_xy = 80.0;   ///< pixels
  double bilateral_rgb = 13.0;  ///< steps of 0..255
  double bilateral_weight = 10.0;
  CrfFilter filter = CrfFilter::lattice;
};

/// Mean field of one image, with as many unaries as wanted.
///
/// Q0 = softmax(-U), then Q <- softmax(-U + sum_m w_m N_m^-1/2 K_m N_m^-1/2 Q) a fixed number of times; K_m includes the
/// pixel itself, N_m = K_m 1 (symmetric normalisation, pydensecrf's default). A term of weight 0 is left out. With the
/// lattice, marginals below e^-60 of the largest are 0.
/// Threads: [any-thread]; every call runs on the caller's thread. Gradient: none.
/// Cost: the two lattices (permutohedral.hpp; at most 480 bytes a pixel for the bilateral one, usually a fifth of it) and
/// in a call 8 bytes a pixel and label (labels rounded up to 4, 8 or a multiple of 16 and 4 or 8) and 64 a lattice point;
/// `exact`: blocks of rows, 32 MB, and time in the square of the pixels.
class SEEDBED_API DenseCrf {
 public:
  /// image_hwc [H,W,3] uint8 or float32 in 0..255.
  /// Throws: ContractError for other images, sigmas not above 0, negative weights; UserError as the lattice's.
  DenseCrf(const at::Tensor& image_hwc, const DenseCrfOptions& options);

  /// unary_khw [K,H,W] float32, the energy of each label (smaller is likelier); iterations >= 0.
  /// Ensures: marginals [K,H,W] float32 that sum to one over the labels.
  /// Throws: ContractError for another shape or type, or iterations below 0.
  at::Tensor infer(const at::Tensor& unary_khw, std::int64_t iterations) const;

 private:
  struct Terms;
  std::shared_ptr<const Terms> terms_;
};

/// -log(clip(p, 1e-5, 1)): the energy of probabilities, or of scores that are taken for such (pydensecrf's
/// unary_from_softmax with the clip of every published recipe). Any shape, float32.
SEEDBED_API at::Tensor probability_unary(const at::Tensor& probabilities);

/// Energies [K,H,W] of hard labels: -log(confidence) for a pixel's own label, -log((1 - confidence) / (K - 1)) for the
/// others. A pixel whose label is none of 0..K-1 has equal energies. labels_hw [H,W] integer; K = 1 gives zeros.
/// Throws: ContractError for another shape, K below 1, or a confidence outside (0, 1).
SEEDBED_API at::Tensor label_unary(const at::Tensor& labels_hw, std::int64_t num_labels, double confidence);

/// The colours that deeplab-pytorch and CLIP-ES hand to the CRF: BGR minus the mean (104.008, 116.669, 122.675),
/// truncated towards zero, its low eight bits. image_hwc [H,W,3] uint8 RGB -> the same shape and type.
SEEDBED_API at::Tensor bgr_mean_wrapped(const at::Tensor& image_hwc);

}  // namespace seedbed::kernels
