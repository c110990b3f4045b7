#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "activation_distribution.hpp"
#include "attention_fusion.hpp"
#include "seedbed/fine_tuning.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/seed_generator.hpp"
#include "usage_inferred_manifest.hpp"

namespace seedbed::usage_inferred {

/// Class maps whose pooling has a temperature, kept alike between a strongly and a weakly adjusted pass. State names:
/// backbone.*, classifier.weight, classifier.bias.
class UsageInferred final : public SeedGenerator, public Trainable {
 public:
  /// Throws: UserError for a tap or a cut that the backbone does not have, an even kernel, an adjustment that the backbone
  /// has no place for, and attention wanted of a backbone without any.
  UsageInferred(const UsageInferredParameters& parameters, const ModelContext& context);

  SeedResult generate(const SeedRequest& request) override;
  Trainable* trainable() override { return this; }
  Backbone* backbone() override { return &backbone_.backbone(); }

  Module& trained_module() override { return *this; }
  std::vector<ParameterGroup> parameter_groups() override { return backbone_.parameter_groups({classifier_.get()}); }
  LossTerms training_step(const StepRequest& request) override;

 private:
  struct Pass {
    at::Tensor maps_nchw;
    at::Tensor token_logits_nc;  // undefined without a class token for each class
  };
  void on_train_mode(bool on) override;
  DistributionRule rule() const;
  bool has_token_logits() const;
  Pass pass(const at::Tensor& images_nchw, RunContext* run, SiteRewriter* rewriter) const;
  Pass adjusted_pass(const ViewBatch& batch, const std::vector<double>& shares, RunContext* run) const;
  const UsageInferred& teacher_of(const StepRequest& request) const;
  const ViewBatch& teachers_view(const StepRequest& request) const;
  at::Tensor regularisation(const StepRequest& request, const at::Tensor& student_maps_nchw) const;
  at::Tensor fused_maps(const SeedRequest& request, const at::Tensor& maps_nchw) const;

  UsageInferredParameters parameters_;
  FineTunedBackbone backbone_;
  std::shared_ptr<Conv2d> classifier_;
  std::shared_ptr<Dropout> dropout_;
};

}  // namespace seedbed::usage_inferred
