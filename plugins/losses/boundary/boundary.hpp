#pragma once

#include <memory>
#include <string>
#include <vector>

#include "boundary_manifest.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/loss.hpp"
#include "seedbed/model_context.hpp"
#include "side_layer.hpp"

namespace seedbed::boundary {

/// A head of its own on taps of the backbone, which is trained with the segmenter and takes no part in a prediction.
/// State: side0, side1 .. (one map each), classes, fuse.
class Boundary final : public Loss {
 public:
  /// Throws: UserError for an unknown tap or one that is a sequence, or without side taps; ContractError without a
  /// backbone.
  Boundary(const BoundaryParameters& parameters, const ModelContext& context);

  std::vector<std::string> needs() const override;
  at::Tensor compute(const LossRequest& request) override;

 private:
  BoundaryParameters parameters_;
  std::int64_t num_classes_;
  std::vector<std::shared_ptr<SideLayer>> sides_;
  std::shared_ptr<SideLayer> classes_;
  std::shared_ptr<Conv2d> fuse_;  ///< one group a class: its own map and every side map
};

}  // namespace seedbed::boundary
