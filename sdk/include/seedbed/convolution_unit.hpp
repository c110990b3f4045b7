#pragma once

#include <memory>
#include <string>

#include <ATen/core/Tensor.h>

#include "seedbed/backbone.hpp"
#include "seedbed/export.hpp"
#include "seedbed/kernels/channel_affine.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/step_chain.hpp"

/// What convolutional backbones are made of. Where no rewriter and no convolution rule look at a pass, its parts work in
/// each other's memory; where there is no graph either, what follows a convolution is one pass over its output. The
/// numbers change by float noise.
namespace seedbed {

/// Lays out the 4-D parameters of `module` channels last, as convolutions on channels-last images want them; shapes and
/// values stay.
SEEDBED_API void lay_out_channels_last(Module& module);

/// The images of a pass in the layout in which CPUs convolve fastest; every layer follows its input's. A pass from a tap
/// stays as it is.
SEEDBED_API ForwardRequest with_channels_last(const ForwardRequest& request);

/// `activation` of `input` at its site. The result may have taken the memory of `input`, which must be nobody else's.
SEEDBED_API at::Tensor activated_at_site(const ForwardRequest& request, const Site& site, Activation activation,
                                         const at::Tensor& input);

/// A batch norm and the activation behind it, each at its site. `input` is left as it is.
SEEDBED_API at::Tensor normed_at_sites(const ForwardRequest& request, const Site& norm_site, BatchNorm2d& norm,
                                       const Site& activation_site, Activation activation, const at::Tensor& input);

/// A convolution with the batch norm, the sum and the activation that may follow it, each part a site but the sum.
///
/// Threads: [one-at-a-time], as its modules.
class SEEDBED_API ConvolutionUnit {
 public:
  /// Names of the sites; those of parts that are not there are not read.
  struct Names {
    std::string convolution, norm, activation;
  };

  /// Lists its sites in `chain`, in this order. `norm` may be null.
  ConvolutionUnit(std::shared_ptr<Conv2d> convolution, std::shared_ptr<BatchNorm2d> norm, Activation activation,
                  StepChain& chain, const Names& names);

  /// activation(norm(convolution(input)) + addend). `addend` may be undefined; neither tensor is changed.
  at::Tensor forward(const at::Tensor& input_nchw, const ForwardRequest& request,
                     const at::Tensor& addend_nchw = {}) const;

 private:
  std::shared_ptr<Conv2d> convolution_;
  std::shared_ptr<BatchNorm2d> norm_;
  Activation activation_;
  const Site* convolution_site_;
  const Site* norm_site_ = nullptr;
  const Site* activation_site_ = nullptr;
};

}  // namespace seedbed
