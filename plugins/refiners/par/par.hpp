#pragma once

#include "par_manifest.hpp"
#include "seedbed/refiner.hpp"

namespace seedbed::par {

class Par final : public Refiner {
 public:
  explicit Par(ParParameters parameters) : parameters_(std::move(parameters)) {}

  /// The planes at the image's size over `downscale`, or at their own (`image_to_maps`).
  RefineResult refine(const RefineRequest& request) override;

 private:
  ParParameters parameters_;
};

}  // namespace seedbed::par
