#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "evaluation/result_folder.hpp"

namespace seedbed::evaluation {

/// One image's score maps.
struct Scores {
  at::Tensor maps_phw;               ///< [P,h,w] float32; P may be 0
  std::vector<std::int64_t> planes;  ///< P labels, strictly increasing, 0 = background

  bool has_background() const { return !planes.empty() && planes.front() == 0; }
};

/// Reads the layouts of README.md. Throws: UserError naming the file for other shapes, planes that no class has, values
/// that are not finite, and damaged files. Threads: [any-thread].
Scores read_scores(const ResultPlace& place, std::int64_t num_labels);

/// The same at a mask's size (bilinear, half-pixel centres, where `resize`). Throws: UserError for another size
/// otherwise.
Scores at_size(Scores scores, std::int64_t height_px, std::int64_t width_px, bool resize, const std::string& where);

}  // namespace seedbed::evaluation
