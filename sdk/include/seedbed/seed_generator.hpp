#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/backbone.hpp"
#include "seedbed/export.hpp"
#include "seedbed/module.hpp"
#include "seedbed/run_context.hpp"
#include "seedbed/trainable.hpp"
#include "seedbed/types.hpp"

namespace seedbed {

/// Views that a seed generator scores in one call. All inputs have one size.
struct SeedRequest {
  at::Tensor images_nchw;       ///< [N,3,H,W] float32, normalised as the backbone asks
  at::Tensor images_raw_nhwc;   ///< [N,H,W,3] uint8 RGB of the same views; undefined unless declared (`needs`)
  at::Tensor present_nc;        ///< [N,C] bool: image labels, given or predicted; undefined where there are none
  std::vector<View> views;      ///< N, one an input
  Companions side_inputs;       ///< declared side inputs, resized and mirrored with the view
  NamedTensors side_artefacts;  ///< declared needs that other nodes made, leading dimension N
  std::vector<std::string> side_artefacts_wanted;
  bool logits_wanted = false;
  RunContext* run = nullptr;  ///< never null
};

struct SeedResult {
  ScoreMaps maps;  ///< raw class evidence per view, [N,C,h,w] (or class-agnostic [N,1,h,w]) float32
  /// Further evidence of the same views, [N,C,h',w'] float32 each: fused by itself with the study's list, then added to the
  /// fused maps, and the sum normalised again by the list's last `normalise` step (BAS adds a CAM). Always as many.
  std::vector<at::Tensor> added_nchw;
  at::Tensor logits_nc;          ///< [N,C] image-level scores; defined where asked for and the method has any
  at::Tensor segmentation_nkhw;  ///< [N,K,h,w] own segmentation (trait `segments`); undefined elsewhere
  NamedTensors side_artefacts;   ///< exactly those asked for, leading dimension N
  std::vector<std::vector<Instance>> instances;  ///< N lists (trait `instances`)
};

/// Turns image-level supervision into per-pixel class evidence.
///
/// Returns raw evidence per view; the host merges views by the study's fusion list. Range [0,1] and zeros for absent
/// classes are promised after fusion, not here.
/// Threads:  [one-at-a-time] per instance.
/// Gradient: generate() is entered with gradients off; a method that needs them (trait `needs_gradient`) opens
///           c10::AutoGradMode itself.
class SEEDBED_API SeedGenerator : public Module {
 public:
  ~SeedGenerator() override;

  /// Requires: N >= 1. Ensures: check_seed_result; the request's tensors unchanged; equal requests and generator
  /// states give bit-equal results; without trait `batch_coupled` an image's result does not depend on its batch.
  virtual SeedResult generate(const SeedRequest& request) = 0;

  /// Null for training-free methods.
  virtual Trainable* trainable() { return nullptr; }

  /// The backbone whose normalisation the host applies. Never null for methods with `[backbone]`.
  virtual Backbone* backbone() = 0;

 protected:
  SeedGenerator() = default;
};

}  // namespace seedbed
