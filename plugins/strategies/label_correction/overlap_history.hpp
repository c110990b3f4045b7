#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "memorisation_curve.hpp"
#include "seedbed/trainable.hpp"

namespace seedbed::label_correction {

/// How predictions and current labels overlapped while a network was fitted, a class at a time, and since when each class's
/// labels are corrected. All of it lies in a store of the fit, so it outlives an interruption.
class OverlapHistory {
 public:
  OverlapHistory(MapStore& store, std::int64_t num_labels) : store_(store), num_labels_(num_labels) {}

  /// Counts a batch: `predicted_nhw` and `target_nhw` [N,H,W] int64; pixels of 254 and 255 do not count.
  void count(const at::Tensor& predicted_nhw, const at::Tensor& target_nhw);

  /// Turns what was counted since the last time into a point of every class that was seen, and begins anew. Nothing happens
  /// where nothing was counted.
  void record(double epoch);

  /// The points of a label.
  std::vector<CurvePoint> points(std::int64_t label) const;

  /// Labels that are corrected by now; a class stays once it is in. Begins with none.
  at::Tensor corrected_k() const;  // [K] bool
  void set_corrected(const at::Tensor& corrected_k) { store_.write("corrected", corrected_k); }

 private:
  MapStore& store_;
  std::int64_t num_labels_;
};

}  // namespace seedbed::label_correction
