#pragma once

#include "cross_entropy_manifest.hpp"
#include "seedbed/labelled_pixels.hpp"
#include "seedbed/loss.hpp"
#include "seedbed/model_context.hpp"

namespace seedbed::cross_entropy {

class CrossEntropy final : public Loss {
 public:
  /// Throws: UserError where there are class weights but not one a label, none above 0, or balance beside them.
  CrossEntropy(const CrossEntropyParameters& parameters, const ModelContext& context);

  std::vector<std::string> needs() const override { return {"logits", "target", "pixel_weights"}; }
  at::Tensor compute(const LossRequest& request) override;

 private:
  CrossEntropyParameters parameters_;
};

}  // namespace seedbed::cross_entropy
