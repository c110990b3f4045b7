#pragma once

#include <memory>
#include <vector>

#include "drs_manifest.hpp"
#include "extra_layers.hpp"
#include "seedbed/fine_tuning.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/seed_generator.hpp"
#include "suppression.hpp"

namespace seedbed::drs {

/// A classifier on top of a backbone whose activations are held below a share of their channel's maximum. State names:
/// backbone.*, controllers.SITE.weight (learnable), layers.extra_conv1.* ..., layers.classifier.*, and
/// extra_controllers.extra_conv1.weight ... (learnable).
class Drs final : public SeedGenerator, public Trainable {
 public:
  /// Throws: UserError for a site, a tap or a cut that the backbone does not have, and for learnable controllers where no
  /// gradient would reach them.
  Drs(const DrsParameters& parameters, const ModelContext& context);

  SeedResult generate(const SeedRequest& request) override;
  Trainable* trainable() override { return this; }
  Backbone* backbone() override { return &backbone_.backbone(); }

  Module& trained_module() override { return *this; }
  std::vector<ParameterGroup> parameter_groups() override;
  LossTerms training_step(const StepRequest& request) override;

 private:
  void on_train_mode(bool on) override;
  void require_live(const std::vector<Site>& sites, RunContext& run);
  at::Tensor class_maps(const at::Tensor& images_nchw, RunContext* run);

  DrsParameters parameters_;
  FineTunedBackbone backbone_;
  std::shared_ptr<SuppressedSites> suppressed_;
  std::shared_ptr<ExtraLayers> layers_;
  std::shared_ptr<SuppressedSites> suppressed_extra_;
};

}  // namespace seedbed::drs
