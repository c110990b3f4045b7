#include "fused_convolution.hpp"

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/GradMode.h>

namespace seedbed {
namespace {

using Scalars = c10::List<std::optional<at::Scalar>>;
using ConvolutionPointwise = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                                        at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, std::int64_t,
                                        std::string_view, Scalars, std::optional<std::string_view>);

// LibTorch has it for code that its compiler makes; C++ reaches it through the dispatcher alone.
const c10::TypedOperatorHandle<ConvolutionPointwise>& convolution_pointwise() {
  static const auto handle = c10::Dispatcher::singleton()
                                 .findSchemaOrThrow("mkldnn::_convolution_pointwise", "")
                                 .typed<ConvolutionPointwise>();
  return handle;
}

std::pair<std::string_view, Scalars> name_of(Activation activation) {
  switch (activation) {
    case Activation::relu:
      return {"relu", Scalars()};
    case Activation::relu6:
      return {"hardtanh", Scalars({at::Scalar(0), at::Scalar(6)})};
    case Activation::none:
      break;
  }
  return {"none", Scalars()};
}

}  // namespace

bool takes_fused_convolution(const at::Tensor& input_nchw) {
  constexpr std::int64_t kLeastValues = 20480;  ///< below it at::conv2d() has a kernel of its own
  return !c10::GradMode::is_enabled() && input_nchw.is_cpu() && input_nchw.scalar_type() == at::kFloat &&
         input_nchw.dim() == 4 && input_nchw.numel() > kLeastValues && at::globalContext().userEnabledMkldnn() &&
         !at::autocast::is_autocast_enabled(at::kCPU);
}

at::Tensor fused_convolution(const at::Tensor& input_nchw, const Conv2d& layer, Activation activation) {
  const Conv2dOptions& options = layer.options;
  const std::array padding{options.padding, options.padding}, stride{options.stride, options.stride},
      dilation{options.dilation, options.dilation};
  const std::optional<at::Tensor> bias = layer.bias.defined() ? std::optional(layer.bias) : std::nullopt;
  const auto [name, bounds] = name_of(activation);
  return convolution_pointwise().call(input_nchw, layer.weight, bias, padding, stride, dilation, options.groups, name,
                                      bounds, "");
}

}  // namespace seedbed
