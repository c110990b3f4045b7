#pragma once

#include "dense_crf_manifest.hpp"
#include "seedbed/refiner.hpp"

namespace seedbed::dense_crf {

/// The most likely labels of label maps, image by image on LibTorch's threads.
class DenseCrfLabelsRefiner final : public Refiner {
 public:
  explicit DenseCrfLabelsRefiner(DenseCrfLabelsParameters parameters) : parameters_(std::move(parameters)) {}

  RefineResult refine(const RefineRequest& request) override;

 private:
  struct Relabelled;
  Relabelled relabel(const at::Tensor& image_hwc, const at::Tensor& labels_hw) const;

  DenseCrfLabelsParameters parameters_;
};

}  // namespace seedbed::dense_crf
