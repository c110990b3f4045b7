#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace seedbed::grabcut {

/// What is known of a pixel before a cut; the numbers are OpenCV's.
inline constexpr std::uint8_t kSureBackground = 0;
inline constexpr std::uint8_t kSureObject = 1;
inline constexpr std::uint8_t kProbableBackground = 2;
inline constexpr std::uint8_t kProbableObject = 3;

/// Evidence in 0..1 that separates the four.
struct TrimapThresholds {
  double sure = 0.7;
  double probable = 0.4;
  double possible = 0.2;
};

/// The trimap [H,W] uint8 of one class's evidence [H,W] float32: each threshold must be exceeded. Threads: [any-thread].
at::Tensor trimap_of(const at::Tensor& evidence_hw, const TrimapThresholds& thresholds);

/// The trimaps [P,H,W] uint8 of classes beside each other: where one is sure, the others are background for certain; where
/// several are, the one with the highest evidence is (the first of equal ones). Threads: [any-thread].
at::Tensor class_trimaps(const at::Tensor& evidence_phw, const TrimapThresholds& thresholds);

/// Which pixels of a trimap are objects, for certain or probably: bool.
at::Tensor is_object(const at::Tensor& trimap);

}  // namespace seedbed::grabcut
