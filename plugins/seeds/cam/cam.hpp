#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cam_manifest.hpp"
#include "seedbed/fine_tuning.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/seed_generator.hpp"

namespace seedbed::cam {

/// A linear classifier over one tap of a backbone. State names: backbone.*, classifier.weight [C,D,1,1], classifier.bias,
/// and where features are standardised feature_count, feature_mean and feature_spread.
class Cam final : public SeedGenerator, public Trainable {
 public:
  /// Throws: UserError for an unknown tap, or for cached features without a frozen backbone and average pooling.
  Cam(const CamParameters& parameters, const ModelContext& context);

  SeedResult generate(const SeedRequest& request) override;
  Trainable* trainable() override { return this; }
  Backbone* backbone() override { return &backbone_.backbone(); }

  Module& trained_module() override { return *this; }
  std::vector<ParameterGroup> parameter_groups() override { return backbone_.parameter_groups({classifier_.get()}); }
  LossTerms training_step(const StepRequest& request) override;
  void collect(const StepRequest& request) override;

 private:
  void on_train_mode(bool on) override;
  at::Tensor features(const at::Tensor& images_nchw, RunContext* run) const;
  at::Tensor standardised(const at::Tensor& features) const;
  at::Tensor class_maps(const at::Tensor& features_ndhw, const at::Tensor& bias) const;
  at::Tensor logits(const at::Tensor& features_ndhw, RunContext& run) const;
  at::Tensor logits_from_average(const at::Tensor& features_nd, RunContext& run) const;
  std::vector<at::Tensor> average_features(const ViewBatch& batch, RunContext* run);

  CamParameters parameters_;
  FineTunedBackbone backbone_;
  std::shared_ptr<Conv2d> classifier_;
  std::shared_ptr<Dropout> dropout_;

  // Welford's running moments of the averaged features, over the images of the training role.
  at::Tensor feature_count_;     // [] float64
  at::Tensor feature_mean_d_;    // [D] float64
  at::Tensor feature_spread_d_;  // [D] float64, sum of squared deviations
  bool collecting_ = false;

  std::map<std::string, at::Tensor, std::less<>> cached_;  // [D] by image id and size
};

}  // namespace seedbed::cam
