#pragma once

#include <memory>
#include <string>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/module.hpp"

namespace seedbed {

/// Modules under the names that a reference implementation gave them.
class NamedModules : public Module {
 public:
  using Module::register_module;
};

/// relu(norm(map)), [N,D,h,w] float32. In training the norm goes by the batch's statistics and updates its own, else by the
/// stored ones. May work in the memory of `map_nchw`, which must be nobody else's.
///
/// Gradient: follows the caller's mode. Threads: [one-at-a-time] per norm.
/// Throws: UserError in training where the batch holds one value a channel, whose deviation is none.
SEEDBED_API at::Tensor normed_and_rectified(BatchNorm2d& norm, at::Tensor map_nchw);

/// A convolution without bias, a batch norm (epsilon 1e-5) and a ReLU: what segmentation heads are made of. The owner
/// registers both parts, so that they bear the names of the implementation that it follows.
///
/// Threads: [one-at-a-time].
class SEEDBED_API NormedConvolution {
 public:
  /// Whatever `options` say of a bias, there is none: the norm has one.
  NormedConvolution(Conv2dOptions options, const at::Generator& generator);

  /// Registers the parts in `owner` under these names and returns itself.
  NormedConvolution& register_in(NamedModules& owner, std::string convolution, std::string norm);

  /// [N,D,h,w] -> relu(norm(convolution)), as normed_and_rectified() has it.
  at::Tensor forward(const at::Tensor& input_nchw) const;

 private:
  std::shared_ptr<Conv2d> convolution_;
  std::shared_ptr<BatchNorm2d> norm_;
};

}  // namespace seedbed
