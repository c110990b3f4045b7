#include "probability_refinement.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"

namespace seedbed::label_correction {

at::Tensor refined(const Probabilities& probabilities, Refiner* refiner, RunContext* run) {
  if (refiner == nullptr) return probabilities.planes_phw;
  const c10::NoGradGuard no_grad;
  const at::Tensor& planes_phw = probabilities.planes_phw;
  RefineRequest request;
  request.images_nhwc = probabilities.image_hwc.unsqueeze(0);
  request.maps.scores_nphw = planes_phw.unsqueeze(0);
  request.maps.planes = probabilities.names;
  request.maps.value = ValueKind::probability;
  request.maps.covered = {{0, 0, static_cast<double>(planes_phw.size(1)), static_cast<double>(planes_phw.size(2))}};
  request.image_ids = {probabilities.image_id};
  request.run = run;
  const RefineResult result = refiner->refine(request);
  if (!result.maps.scores_nphw.defined() || result.maps.planes != probabilities.names) {
    throw UserError("uses.label_refiner", "The refiner in the slot does not give the maps that it takes.",
                    "a refiner from maps with a background plane to such maps, as `dense_crf` or `pamr`");
  }
  return result.maps.scores_nphw[0];
}

std::vector<std::int64_t> labels_of(const at::Tensor& present_c) {
  std::vector<std::int64_t> labels{kBackgroundLabel};
  for (std::int64_t c = 0; c < present_c.size(0); ++c) {
    if (present_c[c].item<bool>()) labels.push_back(c + 1);
  }
  return labels;
}

}  // namespace seedbed::label_correction
