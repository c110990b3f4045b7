#pragma once

#include "cross_entropy_manifest.hpp"
#include "seedbed/loss.hpp"

namespace seedbed::cross_entropy {

class CrossEntropy final : public Loss {
 public:
  explicit CrossEntropy(const CrossEntropyParameters& parameters) : parameters_(parameters) {}

  std::vector<std::string> needs() const override { return {"logits", "target"}; }
  at::Tensor compute(const LossRequest& request) override;

 private:
  CrossEntropyParameters parameters_;
};

}  // namespace seedbed::cross_entropy
