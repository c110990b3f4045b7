#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bas_manifest.hpp"
#include "classifier_maps.hpp"
#include "seedbed/fine_tuning.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/seed_generator.hpp"

namespace seedbed::bas {

/// Foreground maps that are trained by what a frozen copy of the top layers still sees without them (Wu et al., Background
/// Activation Suppression, CVPR 2022). State names: backbone.*, classifier.weight [C,D,1,1], map_classifier.weight [C,D',k,k].
class Bas final : public SeedGenerator, public Trainable {
 public:
  /// Throws: UserError for an unknown tap or one without a map, an even kernel, and a CAM to add without its network.
  Bas(const BasParameters& parameters, const ModelContext& context);

  SeedResult generate(const SeedRequest& request) override;
  Trainable* trainable() override { return this; }
  Backbone* backbone() override { return &backbone_.backbone(); }

  Module& trained_module() override { return *this; }
  std::vector<ParameterGroup> parameter_groups() override;

  /// Terms: classification, foreground (L_FRG), suppression (L_BAS), area (L_AC). The last three see one class an image,
  /// drawn from those present; images without any take no part in them.
  LossTerms training_step(const StepRequest& request) override;

 private:
  struct Maps {
    at::Tensor source;      ///< the tap that the foreground is found on, [N,D',h',w']
    at::Tensor foreground;  ///< [N,C,h',w'], 0..1
    at::Tensor classes;     ///< [N,C,h,w]
  };

  void on_train_mode(bool on) override;
  void add_cam(const ModelContext& context);
  Maps maps_of(const at::Tensor& images_nchw, RunContext& run) const;
  at::Tensor scores_without(const at::Tensor& foreground_n1hw, const at::Tensor& source, RunContext& run) const;
  LossTerms map_terms(const Maps& maps, const at::Tensor& classes_n, RunContext& run) const;
  at::Tensor classification_loss(const at::Tensor& logits_nc, const at::Tensor& present_nc) const;

  BasParameters parameters_;
  FineTunedBackbone backbone_;
  std::shared_ptr<Conv2d> classifier_;
  std::shared_ptr<Conv2d> map_classifier_;
  std::optional<ClassifierMaps> cam_;  // trained apart; no part of this module's state
};

}  // namespace seedbed::bas
