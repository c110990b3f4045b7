#pragma once

#include "seedbed/kernels/crf_layer.hpp"
#include "seedbed/kernels/seed_expand_constrain.hpp"
#include "seedbed/loss.hpp"
#include "seeding_losses_manifest.hpp"

/// The three terms of SEC and DSRG's forms of them, each as a loss of its own, on the grid of the logits.
namespace seedbed::seeding_losses {

/// Labels, sampled at the cells' centres, are the cues.
class Seed final : public Loss {
 public:
  explicit Seed(const SeedParameters& parameters);

  std::vector<std::string> needs() const override { return {"logits", "target"}; }
  at::Tensor compute(const LossRequest& request) override;

 private:
  SeedParameters parameters_;
  kernels::SeedBalance balance_;
};

class Expand final : public Loss {
 public:
  explicit Expand(const ExpandParameters& parameters) : parameters_(parameters) {}

  std::vector<std::string> needs() const override { return {"logits", "present"}; }
  at::Tensor compute(const LossRequest& request) override;

 private:
  ExpandParameters parameters_;
};

class Constrain final : public Loss {
 public:
  /// Throws: UserError where `ratio_clip` is neither empty nor two rising numbers above 0.
  explicit Constrain(const ConstrainParameters& parameters);

  std::vector<std::string> needs() const override { return {"logits", "images_raw"}; }
  at::Tensor compute(const LossRequest& request) override;

 private:
  ConstrainParameters parameters_;
  kernels::CrfLayer layer_;
  std::optional<std::pair<double, double>> ratio_clip_;
};

}  // namespace seedbed::seeding_losses
