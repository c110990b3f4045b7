#pragma once

#include <memory>
#include <vector>

#include "branches.hpp"
#include "random_walk_irn_manifest.hpp"
#include "seedbed/fine_tuning.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/refiner.hpp"

namespace seedbed::random_walk_irn {

/// The walk of IRN (misc/indexing.py): maps_phw [P,h,w] times (1 - boundary), then spread by the affinities of paths within
/// `radius`. boundary_hw [h,w] in 0..1. Gradient: none. Throws: ContractError as kernels::random_walk().
at::Tensor spread_between_boundaries(const at::Tensor& maps_phw, const at::Tensor& boundary_hw, std::int64_t radius,
                                     double beta, std::int64_t log_steps);

/// What a walk leaves, [P,h,w], at the image: enlarged by whole factors (half-pixel centres), cut to height x width, and
/// divided by the maximum over everything, or of each plane (`by_plane`). Maps without any evidence stay 0.
at::Tensor at_image(const at::Tensor& maps_phw, std::int64_t factor_y, std::int64_t factor_x, std::int64_t height,
                    std::int64_t width, bool by_plane);

/// IRN's boundary network and the walk between its boundaries (Ahn et al., CVPR 2019). State names: backbone.*,
/// boundary.tap_1.conv.weight ..., boundary.out.*, displacement.*.
class RandomWalkIrn final : public Refiner, public Trainable {
 public:
  /// Throws: UserError without a backbone, and for taps and widths that do not fit it.
  RandomWalkIrn(const RandomWalkIrnParameters& parameters, const ModelContext& context);

  RefineResult refine(const RefineRequest& request) override;
  Trainable* trainable() override { return this; }
  Backbone* backbone() override { return &backbone_.backbone(); }

  Module& trained_module() override { return *this; }
  std::vector<ParameterGroup> parameter_groups() override;

  /// Terms, with the published weights in them: positive, negative, displacement.
  /// Throws: UserError for a step without labels and for images too small for `training_radius`.
  LossTerms training_step(const StepRequest& request) override;

 private:
  /// Of one image, [h,w] on the CPU, and the pixels that a cell stands for.
  struct Boundary {
    at::Tensor probability_hw;
    std::int64_t pixels_y = 1;
    std::int64_t pixels_x = 1;
  };

  void on_train_mode(bool on) override;
  std::vector<at::Tensor> features_of(const at::Tensor& images_nchw, RunContext* run) const;
  Boundary boundary_of(const at::Tensor& image_nhwc, RunContext* run) const;

  RandomWalkIrnParameters parameters_;
  std::int64_t num_labels_;
  FineTunedBackbone backbone_;
  std::shared_ptr<BoundaryBranch> boundary_;
  std::shared_ptr<DisplacementBranch> displacement_;  ///< null without a displacement
};

}  // namespace seedbed::random_walk_irn
