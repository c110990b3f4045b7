#pragma once

#include "affinity_manifest.hpp"
#include "seedbed/loss.hpp"
#include "seedbed/model_context.hpp"

namespace seedbed::affinity {

/// kernels::affinity_loss on the pairs of a square window, without a matrix of all pairs.
class PairAffinity final : public Loss {
 public:
  explicit PairAffinity(const AffinityParameters& parameters) : parameters_(parameters) {}

  std::vector<std::string> needs() const override;
  at::Tensor compute(const LossRequest& request) override;

 private:
  AffinityParameters parameters_;
};

}  // namespace seedbed::affinity
