#pragma once

#include <memory>
#include <string>
#include <vector>

#include "seam_manifest.hpp"
#include "seedbed/fine_tuning.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/seed_generator.hpp"

namespace seedbed::seam {

/// Class maps trained to look alike at two scales, and spread along similar pixels (Wang et al., Self-supervised
/// Equivariant Attention Mechanism, CVPR 2020). State names: backbone.*, classifier.weight [K,D,1,1] (background first),
/// context_1.weight ..., correlation.weight.
class Seam final : public SeedGenerator, public Trainable {
 public:
  /// Throws: UserError for an unknown tap or one without a map, and for widths that do not fit the taps.
  Seam(const SeamParameters& parameters, const ModelContext& context);

  SeedResult generate(const SeedRequest& request) override;
  Trainable* trainable() override { return this; }
  Backbone* backbone() override { return &backbone_.backbone(); }

  Module& trained_module() override { return *this; }
  std::vector<ParameterGroup> parameter_groups() override;

  /// Terms: classification, minimum_pooling, equivariance, cross_refinement, each with weight 1 as published.
  /// Throws: UserError where the scaled view is too small for the backbone.
  LossTerms training_step(const StepRequest& request) override;

 private:
  /// Maps of one view at the size of its input, [N,K,H,W], or of the tap's cells.
  struct Maps {
    at::Tensor plain;
    at::Tensor refined;
  };

  void on_train_mode(bool on) override;
  Maps maps_of(const at::Tensor& images_nchw, bool at_input, RunContext& run) const;
  at::Tensor context_of(const at::Tensor& images_nchw, const NamedTensors& taps, at::IntArrayRef cells) const;
  at::Tensor scaled_view(const at::Tensor& images_nchw) const;

  SeamParameters parameters_;
  FineTunedBackbone backbone_;
  std::shared_ptr<Conv2d> classifier_;
  std::shared_ptr<Dropout> dropout_;
  std::vector<std::shared_ptr<Conv2d>> context_;
  std::shared_ptr<Conv2d> correlation_;
};

}  // namespace seedbed::seam
