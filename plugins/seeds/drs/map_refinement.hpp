#pragma once

#include <memory>
#include <vector>

#include "drs_manifest.hpp"
#include "extra_layers.hpp"
#include "seedbed/fine_tuning.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/refiner.hpp"

namespace seedbed::drs {

/// What the refinement network is fitted to, from score maps [N,C,H,W] in 0..1: every channel that attains its cell's
/// maximum, the others 0 (`keep_highest`), in steps of 1/255 (`quantise`). Gradient: none.
at::Tensor refinement_target(const at::Tensor& maps_nchw, bool quantise, bool keep_highest);

/// DRS's second network, plain and linear at its end, regressed to stored maps. State names: backbone.*,
/// layers.extra_conv1.* ..., layers.classifier.*.
class MapRefinement final : public Refiner, public Trainable {
 public:
  /// Throws: UserError for a tap or a cut that the backbone does not have, or without a backbone.
  MapRefinement(const DrsMapRefinementParameters& parameters, const ModelContext& context);

  RefineResult refine(const RefineRequest& request) override;
  Trainable* trainable() override { return this; }
  Backbone* backbone() override { return &backbone_.backbone(); }

  Module& trained_module() override { return *this; }
  std::vector<ParameterGroup> parameter_groups() override { return backbone_.parameter_groups({layers_.get()}); }
  LossTerms training_step(const StepRequest& request) override;

 private:
  void on_train_mode(bool on) override;
  at::Tensor class_maps(const at::Tensor& images_nchw, RunContext* run);

  DrsMapRefinementParameters parameters_;
  FineTunedBackbone backbone_;
  std::shared_ptr<ExtraLayers> layers_;
};

}  // namespace seedbed::drs
