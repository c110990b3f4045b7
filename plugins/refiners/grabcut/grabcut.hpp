#pragma once

#include <ATen/core/Tensor.h>

#include "class_trimap.hpp"
#include "grabcut_manifest.hpp"
#include "seedbed/refiner.hpp"

namespace seedbed::grabcut {

/// One cut a class against the rest, from its evidence limited to 0..1 at the image's size. Pixels that several classes
/// claim go to the one with the highest evidence.
class Grabcut final : public Refiner {
 public:
  /// Throws: UserError unless sure >= probable >= possible.
  explicit Grabcut(const GrabcutParameters& parameters);

  RefineResult refine(const RefineRequest& request) override;

 private:
  at::Tensor mask_of(const at::Tensor& image_hwc, const at::Tensor& trimap_hw) const;
  at::Tensor cut_or_stay(const at::Tensor& image_hwc, const at::Tensor& trimap_hw) const;

  GrabcutParameters parameters_;
};

}  // namespace seedbed::grabcut
