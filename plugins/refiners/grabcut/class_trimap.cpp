#include "class_trimap.hpp"

#include <ATen/ATen.h>

namespace seedbed::grabcut {

at::Tensor trimap_of(const at::Tensor& evidence_hw, const TrimapThresholds& thresholds) {
  at::Tensor trimap = at::full(evidence_hw.sizes(), kSureBackground, evidence_hw.options().dtype(at::kByte));
  trimap.masked_fill_(evidence_hw.gt(thresholds.possible), kProbableBackground);
  trimap.masked_fill_(evidence_hw.gt(thresholds.probable), kProbableObject);
  return trimap.masked_fill_(evidence_hw.gt(thresholds.sure), kSureObject);
}

at::Tensor class_trimaps(const at::Tensor& evidence_phw, const TrimapThresholds& thresholds) {
  at::Tensor trimaps = trimap_of(evidence_phw, thresholds);
  const at::Tensor winner_1hw = evidence_phw.argmax(0, /*keepdim=*/true);
  const at::Tensor own_p11 = at::arange(evidence_phw.size(0), winner_1hw.options()).view({-1, 1, 1});
  const at::Tensor claimed_1hw = evidence_phw.gt(thresholds.sure).any(0, /*keepdim=*/true);
  return trimaps.masked_fill_(claimed_1hw.logical_and(winner_1hw.ne(own_p11)), kSureBackground);
}

at::Tensor is_object(const at::Tensor& trimap) { return trimap.eq(kSureObject).logical_or(trimap.eq(kProbableObject)); }

}  // namespace seedbed::grabcut
