#pragma once

#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mars_manifest.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/refiner.hpp"

namespace seedbed::mars {

/// Removes what a labeller takes for an object since it always stands beside one (rails beside trains). Passes over the
/// training images and their labels once, and learns from clusters of features what each class looks like away from
/// backgrounds; then takes labels from pixels that look otherwise.
///
/// Centroids of the images lie in the fit's store `centroids`. State names: backbone.*, centroids [C,D], num_used [C].
class Mars final : public Refiner, public Trainable {
 public:
  /// Throws: UserError for an unknown tap, and without a backbone.
  Mars(const MarsParameters& parameters, const ModelContext& context);

  /// Requires: a fit, or its state. Labels of images whose classes nobody showed stay as they are.
  /// Throws: UserError where the slot's refiner gives labels, or other planes.
  RefineResult refine(const RefineRequest& request) override;
  Trainable* trainable() override { return this; }
  Backbone* backbone() override { return backbone_.get(); }

  Module& trained_module() override { return *this; }
  std::vector<ParameterGroup> parameter_groups() override { return {}; }  // nothing is trained
  /// A zero: the fit of a method that only collects has one empty step.
  LossTerms training_step(const StepRequest& request) override;
  void collect(const StepRequest& request) override;
  /// Throws: UserError where no image has background, or none has a class.
  void finish(EpochServices& services) override;

 private:
  void on_train_mode(bool on) override;
  at::Tensor features(const at::Tensor& images_nchw, RunContext* run) const;
  at::Tensor seen(const at::Tensor& images_nhwc) const;
  at::Tensor centroids_of_image(const RefineRequest& request) const;
  at::Tensor biased(const RefineRequest& request, const at::Tensor& centroids_pd) const;

  MarsParameters parameters_;
  std::shared_ptr<Backbone> backbone_;
  std::shared_ptr<Refiner> similarity_refiner_;  // null where the slot is empty
  std::int64_t num_classes_;
  at::Tensor centroids_;
  at::Tensor num_used_;
};

}  // namespace seedbed::mars
