#pragma once

#include <memory>
#include <vector>

#include <ATen/core/Generator.h>

#include "seedbed/backbone.hpp"
#include "seedbed/kernels/position_table.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/step_chain.hpp"
#include "vit_manifest.hpp"

namespace seedbed::vit {

/// Parameter names are timm's: cls_token, pos_embed, patch_embed.proj, blocks.0.norm1 ... norm, head; `dist_token` and
/// `head_dist` as DeiT, `register_tokens` and `ls1.gamma` as DINOv2, `pos_embed_cls` and `pos_embed_pat` as MCTformer+.
///
/// Tokens lie as class tokens, distillation token, registers, cells row by row.
class Vit final : public Backbone {
 public:
  /// Throws: UserError for heads that do not divide the width, and a distillation token beside several class tokens.
  Vit(const VitParameters& parameters, const at::Generator& generator);

  Normalisation normalisation() const override;
  std::vector<TapInfo> taps() const override { return chain_.taps(); }
  std::vector<Site> sites() const override { return chain_.sites(); }
  TokenLayout token_layout(std::int64_t height_px, std::int64_t width_px) const override;
  std::int64_t size_multiple_px() const override;
  std::int64_t minimum_size_px() const override { return parameters_.patch; }
  ForwardResult forward(const ForwardRequest& request) override;
  std::shared_ptr<Backbone> clone() const override;

  /// Reads files of timm, DeiT, DINO, DINOv2, ToCo and MCTformer; see the README. The classifier may be absent.
  StateReport load_weights(const NamedTensors& tensors) override;

  /// From the class token, or the mean of both classifiers where there is a distillation token.
  at::Tensor reference_logits(const at::Tensor& final_tap) override;

 private:
  void add_embedding(const at::Generator& generator);
  void add_blocks(const at::Generator& generator);
  void add_final();
  void add_classifier(const at::Generator& generator);
  std::int64_t num_positioned_prefix() const;  // tokens without a cell that the position table covers
  at::Tensor positions(std::int64_t height, std::int64_t width, ParameterMode mode) const;
  at::Tensor with_tokens(const at::Tensor& patches_ndhw, ParameterMode mode) const;

  VitParameters parameters_;
  kernels::PositionRule rule_;
  StepChain chain_;
  std::shared_ptr<Conv2d> patch_convolution_;
  at::Tensor class_tokens_, distillation_token_, register_tokens_;
  at::Tensor table_;                                  // joint
  at::Tensor class_table_, cell_table_;               // separate
  std::shared_ptr<Linear> head_, distillation_head_;  // null where there are several class tokens
};

}  // namespace seedbed::vit
