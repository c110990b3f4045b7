#include "activation_distribution.hpp"

#include <ATen/ATen.h>

namespace seedbed::usage_inferred {

at::Tensor log_distribution(const at::Tensor& maps_nchw, double tau, const DistributionRule& rule) {
  const at::Tensor cells_ncm = maps_nchw.flatten(2);
  const at::Tensor sharpened = rule.convention == "power" ? cells_ncm * tau : cells_ncm / tau;
  return at::log_softmax(sharpened, rule.axis == "space" ? 2 : 1);
}

at::Tensor activation_scores(const at::Tensor& maps_nchw, const at::Tensor& log_alpha_ncm,
                             const std::string& normalisation) {
  const at::Tensor alpha_ncm = log_alpha_ncm.exp();
  const at::Tensor sum_nc = (alpha_ncm * maps_nchw.flatten(2)).sum(2);
  if (normalisation == "weights") return sum_nc / alpha_ncm.sum(2);
  if (normalisation == "cells") return sum_nc / static_cast<double>(alpha_ncm.size(2));
  return sum_nc;
}

at::Tensor inconsistency(const at::Tensor& student_log_alpha_ncm, const at::Tensor& teacher_log_alpha_ncm,
                         const at::Tensor& classes_nc, const std::string& measure, const DistributionRule& rule) {
  at::Tensor difference_ncm;
  if (measure == "kl") {
    difference_ncm = teacher_log_alpha_ncm.exp() * (teacher_log_alpha_ncm - student_log_alpha_ncm);
  } else {
    difference_ncm = student_log_alpha_ncm.exp() - teacher_log_alpha_ncm.exp();
    difference_ncm = measure == "l1" ? difference_ncm.abs() : difference_ncm.square();
  }
  const at::Tensor per_class_nc = rule.axis == "space" ? difference_ncm.sum(2) : difference_ncm.mean(2);
  const at::Tensor counted_nc = classes_nc.to(per_class_nc.scalar_type());
  return (per_class_nc * counted_nc).sum() / counted_nc.sum().clamp_min(1);
}

}  // namespace seedbed::usage_inferred
