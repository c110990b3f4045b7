#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

// Insertion and deletion (Petsiuk et al., RISE, BMVC 2018, section 3.3): how a network's score of a class moves while an
// image's pixels appear, or vanish, in the order of the class's map.
namespace seedbed::metrics {

enum class CausalMetric {
  deletion,  ///< from the image to the baseline; small areas are good
  insertion  ///< from the baseline to the image; large areas are good
};

/// What is shown where no pixel of the image is.
enum class CausalBaseline {
  grey,  ///< 0 of a normalised image, the mean colour that the network was trained with
  blur   ///< the image under a Gaussian of 11 x 11 px and a standard deviation of 5 px, the mean colour around it
};

/// How an image is shown: what two curves that may differ differ in.
struct CausalForm {
  CausalMetric metric = CausalMetric::insertion;
  CausalBaseline baseline = CausalBaseline::blur;
  std::int64_t steps = 1;

  auto operator<=>(const CausalForm&) const = default;
};

/// The baseline of a normalised image [C,H,W].
at::Tensor causal_baseline(const at::Tensor& image_chw, CausalBaseline baseline);

/// The place of each pixel when they are taken from the largest value down, equal ones in row-major order: [H,W] int64.
/// Throws: ContractError for a map that is not [H,W] and floating.
at::Tensor places_by_value(const at::Tensor& map_hw);

/// How many pixels have changed after 0, 1, ... `steps` equal steps: from 0 to all of them.
std::vector<std::int64_t> pixels_changed(std::int64_t num_pixels, std::int64_t steps);

/// Images [N,C,H,W] in which the first `changed[i]` pixels by their `places_hw` have changed. Image and baseline are
/// [C,H,W] of one type and device. Throws: ContractError for shapes that do not fit.
at::Tensor causal_images(const at::Tensor& image_chw, const at::Tensor& baseline_chw, const at::Tensor& places_hw,
                         const std::vector<std::int64_t>& changed, CausalMetric metric);

/// The scores [N] that a network gives images [N,C,H,W] for the class of the map.
using AskedNetwork = std::function<at::Tensor(const at::Tensor& images_nchw)>;

/// The curve of one class: scores of steps + 1 images, `images_at_once` of them shown at a time.
std::vector<double> causal_curve(const at::Tensor& image_chw, const at::Tensor& map_hw, const CausalForm& form,
                                 std::int64_t images_at_once, const AskedNetwork& ask);

/// Area under scores at equal steps over [0,1], by trapezoids. Throws: ContractError for fewer than two scores.
double causal_area(const std::vector<double>& scores);

}  // namespace seedbed::metrics
