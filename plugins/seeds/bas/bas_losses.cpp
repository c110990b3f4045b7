#include "bas_losses.hpp"

#include <limits>
#include <vector>

#include <ATen/ATen.h>

namespace seedbed::bas {
namespace {

constexpr double kEpsilon = 1e-8;  // BAS-Extension, WSSS/net/resnet50_bas.py

}  // namespace

at::Tensor grouped_softmax_loss(const at::Tensor& logits_nc, const at::Tensor& present_nc) {
  // Row c of an image holds class c and the absent ones: log(sum over row of exp) - logit.
  const std::int64_t num_classes = logits_nc.size(1);
  const at::Tensor own = at::eye(num_classes, present_nc.options());
  const at::Tensor left_out = present_nc.unsqueeze(1).logical_and(own.logical_not());
  const at::Tensor rows_ncc = logits_nc.unsqueeze(1)
                                  .expand({-1, num_classes, -1})
                                  .masked_fill(left_out, -std::numeric_limits<float>::infinity());
  const at::Tensor losses_nc = rows_ncc.logsumexp(2) - logits_nc;
  return losses_nc.masked_fill(present_nc.logical_not(), 0).sum(1).mean();
}

at::Tensor suppression_loss(const at::Tensor& erased_n, const at::Tensor& whole_n, double over_one) {
  const at::Tensor erased = erased_n.relu(), whole = whole_n.detach().relu();
  return (erased / (whole + kEpsilon)).masked_fill(erased.gt(whole), over_one).mean();
}

at::Tensor foreground_loss(const at::Tensor& class_maps_nchw, const at::Tensor& foreground_n1hw,
                           const at::Tensor& classes_n) {
  const at::Tensor foreground = at::adaptive_avg_pool2d(foreground_n1hw, class_maps_nchw.sizes().slice(2));
  return at::cross_entropy_loss((class_maps_nchw * foreground).mean({2, 3}), classes_n);
}

at::Tensor of_classes(const at::Tensor& values_nc, const at::Tensor& classes_n) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(values_nc.dim()), 1);
  shape[0] = classes_n.size(0);
  std::vector<std::int64_t> one_class = values_nc.sizes().vec();
  one_class[1] = 1;
  return values_nc.gather(1, classes_n.view(shape).expand(one_class));
}

}  // namespace seedbed::bas
