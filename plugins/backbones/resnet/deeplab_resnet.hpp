#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Generator.h>

#include "seedbed/backbone.hpp"
#include "seedbed/convolution_unit.hpp"
#include "seedbed/step_chain.hpp"

namespace seedbed::resnet {

struct DeepLabResNetOptions {
  std::vector<std::int64_t> depths;  ///< blocks of layer2 to layer5
  std::int64_t output_stride = 8;    ///< 32, 16 or 8
  std::vector<std::int64_t> multi_grid{1, 1,
                                       1};  ///< factors of the dilations of layer5's blocks, the last one repeated
  std::int64_t frozen_stages = 0;
};

/// The ResNet of deeplab-pytorch, which is that of DeepLab's Caffe models: the stride on a bottleneck's first convolution,
/// the stem pooled in ceil mode, every block of a stage that may not stride dilated, images in Caffe's colours.
///
/// Parameter names are the authors': layer1.conv1.conv.weight, layer2.block1.reduce.conv.weight ...
/// Threads: [one-at-a-time].
class DeepLabResNet final : public Backbone {
 public:
  /// Throws: UserError for another output stride, or no factor in `multi_grid`.
  DeepLabResNet(const DeepLabResNetOptions& options, const at::Generator& generator);

  Normalisation normalisation() const override;
  std::vector<TapInfo> taps() const override { return chain_.taps(); }
  std::vector<Site> sites() const override { return chain_.sites(); }
  std::int64_t minimum_size_px() const override { return 1; }  // every layer is padded
  ForwardResult forward(const ForwardRequest& request) override;
  std::shared_ptr<Backbone> clone() const override;

  /// Names as in the authors' files, also behind the `base.` of their multi-scale wrapper. What belongs to the head (aspp.*)
  /// is listed as extra.
  StateReport load_weights(const NamedTensors& tensors) override;

 private:
  class Group;
  struct BlockShape;
  void add_stem(const at::Generator& generator);
  void add_stage(std::size_t index, std::int64_t stride, std::int64_t dilation, const at::Generator& generator);
  void add_block(Group& stage, const std::string& name, const BlockShape& shape, const at::Generator& generator);
  ConvolutionUnit add_unit(Group& owner, const std::string& path, const std::string& name, const Conv2dOptions& options,
                           Activation activation, const at::Generator& generator);

  DeepLabResNetOptions options_;
  StepChain chain_;
  std::shared_ptr<Conv2d> stem_;
  std::int64_t channels_ = 0;  // of the step added last
  double stride_px_ = 1;
};

}  // namespace seedbed::resnet
