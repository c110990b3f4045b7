#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

/// What AffinityNet learns from, as released: score maps that passed the CRF are averaged over the cells of the training
/// grid, and labels are made of the averages (Ahn and Kwak, CVPR 2018, section 3.3; voc12/data.py).
namespace seedbed::random_walk_psa {

/// Score maps with a background plane [N,K,H,W] -> their means over height x width cells, [N,K,height,width].
at::Tensor averaged_over_cells(const at::Tensor& scores_nkhw, std::int64_t height, std::int64_t width);

/// Labels [N,h,w] int64 of averages beside a strong background (the low alpha) and a weak one (the high alpha), [N,K,h,w]
/// each: classes that win beside the strong one, background that wins beside the weak one (it has precedence), and 255
/// elsewhere, where nothing scored (the margin of a crop) too.
at::Tensor labels_of_averages(const at::Tensor& low_nkhw, const at::Tensor& high_nkhw);

}  // namespace seedbed::random_walk_psa
