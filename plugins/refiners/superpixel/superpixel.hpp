#pragma once

#include "seedbed/refiner.hpp"
#include "segmentation.hpp"

namespace seedbed::superpixel {

/// Score maps take the mean of their region, at the image's size (bilinear, half-pixel centres).
class Superpixel final : public Refiner {
 public:
  explicit Superpixel(const SegmentationOptions& options) : options_(options) {}
  RefineResult refine(const RefineRequest& request) override;

 private:
  SegmentationOptions options_;
};

/// Each region takes the class, or the background, with the highest mean; doubtful ones are ignored.
class SuperpixelVote final : public Refiner {
 public:
  SuperpixelVote(const SegmentationOptions& options, double margin) : options_(options), margin_(margin) {}
  RefineResult refine(const RefineRequest& request) override;

 private:
  SegmentationOptions options_;
  double margin_;
};

/// Each region takes the label that most of its pixels have. A confidence that comes with the labels is 0 where a label changed.
class SuperpixelMajority final : public Refiner {
 public:
  explicit SuperpixelMajority(const SegmentationOptions& options) : options_(options) {}
  RefineResult refine(const RefineRequest& request) override;

 private:
  SegmentationOptions options_;
};

}  // namespace seedbed::superpixel
