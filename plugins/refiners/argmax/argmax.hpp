#pragma once

#include "argmax_manifest.hpp"
#include "seedbed/refiner.hpp"

namespace seedbed::argmax {

/// The highest plane of each pixel, the first of equal ones, once maps are at the image's size (bilinear, half-pixel
/// centres).
class Argmax final : public Refiner {
 public:
  explicit Argmax(const ArgmaxParameters& parameters) : parameters_(parameters) {}

  RefineResult refine(const RefineRequest& request) override;

 private:
  ArgmaxParameters parameters_;
};

}  // namespace seedbed::argmax
