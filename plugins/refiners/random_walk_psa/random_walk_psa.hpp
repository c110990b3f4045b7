#pragma once

#include <memory>
#include <string>
#include <vector>

#include "affinity_head.hpp"
#include "random_walk_psa_manifest.hpp"
#include "seedbed/fine_tuning.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/refiner.hpp"

namespace seedbed::random_walk_psa {

/// How maps walk over the cells of affinities.
struct WalkSettings {
  double beta = 8;
  std::int64_t log_steps = 8;
};

/// The walk of PSA (infer_aff.py): maps_phw [P,H,W], of an image that fills the upper left of height x width pixels, zeros
/// beyond it, averaged over the cells of affinities_ohw [O,h,w] (those of kernels::half_disc(radius)) and spread:
/// [P,h,w]. Gradient: none.
at::Tensor walk_of_maps(const at::Tensor& maps_phw, const at::Tensor& affinities_ohw, std::int64_t radius,
                        std::int64_t height, std::int64_t width, const WalkSettings& settings);

/// What a cell's label in training is made of.
enum class CellTargets {
  labels,     ///< the step's target: the label at the cell's centre
  score_maps  ///< the step's companions `low` and `high`, averaged over the cell (cell_labels.hpp)
};

/// AffinityNet and its walk (Ahn and Kwak, CVPR 2018). State names: backbone.*, affinity.*.
class RandomWalkPsa final : public Refiner, public Trainable {
 public:
  /// Throws: UserError without a backbone, and for taps and widths that do not fit it.
  RandomWalkPsa(const RandomWalkPsaParameters& parameters, const ModelContext& context,
                CellTargets targets = CellTargets::labels);

  RefineResult refine(const RefineRequest& request) override;
  Trainable* trainable() override { return this; }
  Backbone* backbone() override { return &backbone_.backbone(); }

  Module& trained_module() override { return *this; }
  std::vector<ParameterGroup> parameter_groups() override { return backbone_.parameter_groups({affinity_.get()}); }

  /// Terms, with the published weights in them: background and foreground (1/4), different (1/2).
  /// Throws: UserError for a step without labels, or whose companions have no background plane, and for images too small
  /// for `training_radius`.
  LossTerms training_step(const StepRequest& request) override;

 private:
  void on_train_mode(bool on) override;
  at::Tensor features_of(const at::Tensor& images_nchw, RunContext* run) const;
  at::Tensor averages_of(const ViewBatch& batch, const std::string& companion, const at::Tensor& features) const;
  at::Tensor cell_labels(const ViewBatch& batch, const at::Tensor& features) const;

  RandomWalkPsaParameters parameters_;
  CellTargets targets_;
  std::int64_t num_labels_;
  FineTunedBackbone backbone_;
  std::shared_ptr<AffinityHead> affinity_;
};

}  // namespace seedbed::random_walk_psa
