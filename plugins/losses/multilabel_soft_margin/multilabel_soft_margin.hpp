#pragma once

#include "seedbed/loss.hpp"

namespace seedbed::multilabel_soft_margin {

class MultilabelSoftMargin final : public Loss {
 public:
  std::vector<std::string> needs() const override { return {"logits", "present"}; }
  at::Tensor compute(const LossRequest& request) override;
};

}  // namespace seedbed::multilabel_soft_margin
