#include "dense_energy_loss.hpp"

#include <ATen/ATen.h>

#include "seedbed/kernels/resize.hpp"
#include "valid_region.hpp"

namespace seedbed::crf_losses {

DenseEnergyLoss::DenseEnergyLoss(const DenseEnergyParameters& parameters)
    : energy_{.weight = parameters.energy_weight,
              .sigma_rgb = parameters.sigma_rgb,
              .sigma_xy = parameters.sigma_xy,
              .scale = parameters.scale,
              .gate = parameters.gate,
              .exact = parameters.filter == "exact"},
      align_corners_(parameters.align_corners) {}

at::Tensor DenseEnergyLoss::compute(const LossRequest& request) {
  const at::Tensor& labels = request.target_nhw;
  const at::Tensor logits = kernels::resize_maps(request.logits, labels.size(1), labels.size(2), align_corners_);
  return kernels::dense_energy({.images_nhwc = request.images_raw_nhwc,
                                .probabilities_nkhw = logits.softmax(1),
                                .region_nhw = valid_region(request.valid, labels.size(1), labels.size(2)),
                                .labels_nhw = labels},
                               energy_);
}

}  // namespace seedbed::crf_losses
