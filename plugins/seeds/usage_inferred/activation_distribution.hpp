#pragma once

#include <string>

#include <ATen/core/Tensor.h>

namespace seedbed::usage_inferred {

/// How class maps a become the weights alpha of their cells: a softmax over the cells of a class (`space`) or over the
/// classes of a cell (`class`), of a / tau (`divide`) or of a tau, which is alpha^tau (`power`).
struct DistributionRule {
  std::string axis = "space";
  std::string convention = "divide";
};

/// log alpha of maps [N,C,h,w] as [N,C,h w]. Requires: tau > 0. Gradient: kept.
at::Tensor log_distribution(const at::Tensor& maps_nchw, double tau, const DistributionRule& rule);

/// Scores [N,C] of maps [N,C,h,w]: the sum of alpha a over the cells (`none`), over the sum of alpha (`weights`) or over
/// the number of cells (`cells`). Over space the first two are one. Gradient: kept.
at::Tensor activation_scores(const at::Tensor& maps_nchw, const at::Tensor& log_alpha_ncm,
                             const std::string& normalisation);

/// How far the student's distribution is from the teacher's: KL(teacher || student), or the sum of absolute or squared
/// differences, per class and image; over the class axis a mean over the cells. Averaged over the classes in
/// `classes_nc` [N,C] bool. Gradient: to the student's.
at::Tensor inconsistency(const at::Tensor& student_log_alpha_ncm, const at::Tensor& teacher_log_alpha_ncm,
                         const at::Tensor& classes_nc, const std::string& measure, const DistributionRule& rule);

}  // namespace seedbed::usage_inferred
