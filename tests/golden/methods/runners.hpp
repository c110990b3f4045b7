#pragma once

#include <vector>

#include "support/goldens.hpp"

namespace seedbed::testing {

std::vector<GoldenRunner> attention_affinity_runners();
std::vector<GoldenRunner> attention_runners();
std::vector<GoldenRunner> background_runners();
std::vector<GoldenRunner> bas_runners();
std::vector<GoldenRunner> classification_runners();
std::vector<GoldenRunner> dense_crf_runners();
std::vector<GoldenRunner> drs_runners();
std::vector<GoldenRunner> fitting_runners();
std::vector<GoldenRunner> fusion_runners();
std::vector<GoldenRunner> grad_cam_runners();
std::vector<GoldenRunner> image_pyramid_runners();
std::vector<GoldenRunner> irn_runners();
std::vector<GoldenRunner> mars_runners();
std::vector<GoldenRunner> pixel_adaptive_runners();
std::vector<GoldenRunner> prm_runners();
std::vector<GoldenRunner> psa_runners();
std::vector<GoldenRunner> region_runners();
std::vector<GoldenRunner> regulariser_runners();
std::vector<GoldenRunner> seam_runners();
std::vector<GoldenRunner> seeding_runners();
std::vector<GoldenRunner> segmentation_loss_runners();
std::vector<GoldenRunner> usage_inferred_runners();

}  // namespace seedbed::testing
