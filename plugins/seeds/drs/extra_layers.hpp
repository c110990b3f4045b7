#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "seedbed/layers.hpp"
#include "seedbed/module.hpp"

namespace seedbed::drs {

struct ExtraLayerOptions {
  std::int64_t in_channels = 0;
  std::int64_t layers = 3;   ///< 3x3 convolutions, each with an activation
  std::int64_t width = 512;  ///< of each
  std::int64_t num_classes = 0;
  double deviation = 0;  ///< of the first weights; 0 = He et al.'s sqrt(2 / (k k out)), as DRS's classifier has it
};

/// What DRS puts behind VGG16 in place of its fully connected layers (models/vgg.py, models/vgg_refine.py): 3x3 convolutions,
/// and a 1x1 convolution with bias to one map a class. State names: extra_conv1.weight ... and classifier.weight, each with
/// its bias, which starts at 0.
class ExtraLayers : public Module {
 public:
  /// What comes behind the convolution of layer `index`, from 0.
  using Activation = std::function<at::Tensor(const at::Tensor& input_ndhw, std::size_t index)>;

  ExtraLayers(const ExtraLayerOptions& options, const at::Generator& generator);

  /// Class maps [N,C,h,w] of features [N,D,h,w], the classifier's bias included. Gradient: kept.
  at::Tensor forward(const at::Tensor& features_ndhw, const Activation& activation) const;

  std::int64_t num_classes() const { return classifier_->options.out_channels; }

 private:
  std::vector<std::shared_ptr<Conv2d>> convolutions_;
  std::shared_ptr<Conv2d> classifier_;
};

}  // namespace seedbed::drs
