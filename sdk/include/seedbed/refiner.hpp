#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"
#include "seedbed/module.hpp"
#include "seedbed/run_context.hpp"
#include "seedbed/trainable.hpp"
#include "seedbed/types.hpp"

namespace seedbed {

class Backbone;

/// Images of one size with their maps (or labels).
struct RefineRequest {
  at::Tensor images_nhwc;       ///< [N,H,W,3] uint8 RGB, at the image's own size
  ScoreMaps maps;               ///< set where the refiner takes scores
  LabelMaps labels;             ///< set where it takes labels
  at::Tensor present_nc;        ///< [N,C] bool; undefined where the role has no image labels
  NamedTensors side_artefacts;  ///< declared needs (attention, affinity ...), leading dimension N
  Companions side_inputs;       ///< declared side inputs at image size
  std::vector<std::string> image_ids;
  RunContext* run = nullptr;  ///< never null
};

/// Exactly one of the two is set, as the manifest's `gives` says.
struct RefineResult {
  ScoreMaps maps;
  LabelMaps labels;
};

/// Improves maps or labels with the image at hand.
///
/// Threads:  [one-at-a-time] per instance; the host makes one instance a thread for CPU refiners.
/// Gradient: entered with gradients off.
class SEEDBED_API Refiner : public Module {
 public:
  ~Refiner() override;

  /// Ensures: planes, background and value kind as declared; finite; request's tensors unchanged. N > 1 only with
  /// trait `batched`.
  virtual RefineResult refine(const RefineRequest& request) = 0;

  /// Null for refiners without a pass of their own over a role.
  virtual Trainable* trainable() { return nullptr; }

  /// The backbone whose normalisation the host applies when it trains the refiner; null for refiners without one.
  virtual Backbone* backbone() { return nullptr; }

 protected:
  Refiner() = default;
};

}  // namespace seedbed
