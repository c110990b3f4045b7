#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "seedbed/backbone.hpp"
#include "seedbed/export.hpp"
#include "seedbed/module.hpp"

/// A handful of layers. Parameter names are PyTorch's (`weight`, `bias`, `running_mean` ...), initial values are
/// PyTorch's defaults drawn from the given generator (Kaiming uniform with a = sqrt(5); see torch.nn.Linear).
namespace seedbed {

struct Conv2dOptions {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
};

class SEEDBED_API Conv2d : public Module {
 public:
  Conv2d(const Conv2dOptions& options, const at::Generator& generator);
  at::Tensor forward(const at::Tensor& input_nchw, ParameterMode mode = ParameterMode::live) const;
  ConvolutionShape shape() const;
  const Conv2dOptions options;
  at::Tensor weight;  ///< [out, in / groups, k, k]
  at::Tensor bias;    ///< [out]; undefined without bias
};

/// `layer` as the request wants it: live or detached parameters, the convolution rule, the rewriter at `site`.
SEEDBED_API at::Tensor convolve_at_site(const ForwardRequest& request, const Site& site, const Conv2d& layer,
                                        const at::Tensor& input_nchw);

class SEEDBED_API Linear : public Module {
 public:
  Linear(std::int64_t in_features, std::int64_t out_features, bool with_bias, const at::Generator& generator);
  at::Tensor forward(const at::Tensor& input, ParameterMode mode = ParameterMode::live) const;
  at::Tensor weight;  ///< [out, in]
  at::Tensor bias;    ///< [out]; undefined without bias
};

class SEEDBED_API BatchNorm2d : public Module {
 public:
  explicit BatchNorm2d(std::int64_t channels, double epsilon = 1e-5, double momentum = 0.1);
  at::Tensor forward(const at::Tensor& input_nchw, BatchNormMode mode, ParameterMode parameters = ParameterMode::live);

  /// What the norm is on its stored statistics: input * scale + shift, [C] each.
  std::pair<at::Tensor, at::Tensor> scale_and_shift() const;
  at::Tensor weight, bias, running_mean, running_var, num_batches_tracked;

 private:
  double epsilon_;
  double momentum_;
};

class SEEDBED_API GroupNorm : public Module {
 public:
  GroupNorm(std::int64_t groups, std::int64_t channels, double epsilon = 1e-5);
  at::Tensor forward(const at::Tensor& input_nchw, ParameterMode mode = ParameterMode::live) const;
  at::Tensor weight, bias;

 private:
  std::int64_t groups_;
  double epsilon_;
};

class SEEDBED_API LayerNorm : public Module {
 public:
  explicit LayerNorm(std::int64_t width, double epsilon = 1e-5);
  at::Tensor forward(const at::Tensor& input, ParameterMode mode = ParameterMode::live) const;
  at::Tensor weight, bias;

 private:
  std::int64_t width_;
  double epsilon_;
};

/// Zeroes elements (or whole channels) in training mode, drawing from the generator it is given and from no other.
class SEEDBED_API Dropout : public Module {
 public:
  Dropout(double probability, bool whole_channels);
  at::Tensor forward(const at::Tensor& input, const at::Generator& generator) const;

 private:
  double probability_;
  bool whole_channels_;
};

/// Scales each channel of a branch (CaiT's LayerScale). Parameter: `gamma`, at first `initial_value` everywhere.
class SEEDBED_API LayerScale : public Module {
 public:
  LayerScale(std::int64_t width, double initial_value);
  at::Tensor forward(const at::Tensor& input, ParameterMode mode = ParameterMode::live) const;
  at::Tensor gamma;
};

/// Leaves out a residual branch of whole images in training mode (stochastic depth, Huang et al., ECCV 2016), drawing from
/// the generator it is given; what stays is scaled up by 1 / (1 - probability).
class SEEDBED_API DropPath : public Module {
 public:
  /// Throws: ContractError for a probability outside [0,1).
  explicit DropPath(double probability);
  at::Tensor forward(const at::Tensor& branch, const at::Generator& generator) const;

 private:
  double probability_;
};

/// `tensor` as it is, or cut from the graph, as the request says.
SEEDBED_API at::Tensor in_mode(const at::Tensor& tensor, ParameterMode mode);

}  // namespace seedbed
