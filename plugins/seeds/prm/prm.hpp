#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "instance_masks.hpp"
#include "object_proposals.hpp"
#include "peak_stimulation.hpp"
#include "prm_manifest.hpp"
#include "seedbed/fine_tuning.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/seed_generator.hpp"

namespace seedbed::prm {

/// Class response maps trained by their peaks, each peak traced back to the pixels that excited it (Zhou et al., Weakly
/// Supervised Instance Segmentation using Class Peak Response, CVPR 2018). State names: backbone.*, classifier.weight
/// [C,D,1,1], classifier.bias.
class Prm final : public SeedGenerator, public Trainable {
 public:
  /// Throws: UserError for an unknown tap or one without a map, an even window, and for proposals without their file.
  Prm(const PrmParameters& parameters, const ModelContext& context);

  SeedResult generate(const SeedRequest& request) override;
  Trainable* trainable() override { return this; }
  Backbone* backbone() override { return &backbone_.backbone(); }

  Module& trained_module() override { return *this; }
  std::vector<ParameterGroup> parameter_groups() override { return backbone_.parameter_groups({classifier_.get()}); }
  LossTerms training_step(const StepRequest& request) override;

 private:
  /// A peak that is traced back; `response_hw` [H,W] of its view.
  struct Peak {
    std::int64_t image = 0, class_index = 0, row = 0, column = 0;
    double value = 0;
    at::Tensor response_hw;
  };

  void on_train_mode(bool on) override;
  at::Tensor upsampled(const at::Tensor& maps_nchw, std::int64_t factor) const;
  at::Tensor maps_for_tracing(const at::Tensor& images_nchw, RunContext& run) const;
  std::vector<Peak> peaks_to_trace(const at::Tensor& maps_nchw, const at::Tensor& peaks_nchw,
                                   const at::Tensor& scores_nc, const at::Tensor& present_nc) const;
  void trace(std::vector<Peak>& peaks, const at::Tensor& images_nchw, const at::Tensor& maps_nchw,
             RunContext& run) const;
  at::Tensor seeds_from(const std::vector<Peak>& peaks, const at::Tensor& images_nchw) const;
  std::vector<Instance> instances_of(const std::vector<Peak>& peaks, std::int64_t image, const View& view,
                                     const at::Tensor& maps_chw) const;

  PrmParameters parameters_;
  PeakOptions peak_options_;
  MaskOptions mask_options_;
  FineTunedBackbone backbone_;
  std::shared_ptr<Conv2d> classifier_;
  std::optional<ObjectProposals> proposals_;
  Site classifier_site_;
};

}  // namespace seedbed::prm
