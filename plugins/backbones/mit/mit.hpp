#pragma once

#include <memory>
#include <vector>

#include <ATen/core/Generator.h>

#include "seedbed/backbone.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/step_chain.hpp"

namespace seedbed::mit {

struct MitOptions {
  std::vector<std::int64_t> widths;  ///< of the four stages
  std::vector<std::int64_t> depths;
  std::vector<std::int64_t> strides{4, 2, 2, 2};
  double drop_path = 0.1;
  std::int64_t frozen_stages = 0;
};

/// SegFormer's encoder. Parameter names are the authors': patch_embed1.proj, patch_embed1.norm, block1.0.norm1,
/// block1.0.attn.q ... norm1, head.
class Mit final : public Backbone {
 public:
  /// Throws: UserError for another number of strides than four.
  Mit(const MitOptions& options, const at::Generator& generator);

  Normalisation normalisation() const override { return {}; }
  std::vector<TapInfo> taps() const override { return chain_.taps(); }
  std::vector<Site> sites() const override { return chain_.sites(); }
  std::int64_t minimum_size_px() const override { return minimum_size_px_; }
  ForwardResult forward(const ForwardRequest& request) override;
  std::shared_ptr<Backbone> clone() const override;

  /// Also reads the encoder of a larger network (names behind `encoder.`). The classifier may be absent.
  StateReport load_weights(const NamedTensors& tensors) override;
  at::Tensor reference_logits(const at::Tensor& final_tap) override;

 private:
  void add_stage(std::int64_t index, const at::Generator& generator);
  std::int64_t smallest_input() const;

  MitOptions options_;
  StepChain chain_;
  std::shared_ptr<Linear> classifier_;
  std::int64_t minimum_size_px_ = 1;
  std::int64_t channels_ = 3;  // of the step added last
  double stride_px_ = 1;
};

}  // namespace seedbed::mit
