#include "multilabel_soft_margin.hpp"

#include <ATen/ATen.h>

namespace seedbed::multilabel_soft_margin {

at::Tensor MultilabelSoftMargin::compute(const LossRequest& request) {
  // PyTorch's multilabel_soft_margin_loss is the same mean: over classes first, then over images.
  return at::binary_cross_entropy_with_logits(request.logits, request.present_nc.to(request.logits.scalar_type()));
}

}  // namespace seedbed::multilabel_soft_margin
