#include "object_context.hpp"

#include <cmath>

#include <ATen/ATen.h>

namespace seedbed::ocr {
namespace {

NormedConvolution pointwise(std::int64_t in, std::int64_t out, const at::Generator& generator) {
  return {{.in_channels = in, .out_channels = out}, generator};
}

}  // namespace

at::Tensor gather_regions(const at::Tensor& auxiliary_nkhw, const at::Tensor& features_ndhw, GatherAxis axis) {
  const at::Tensor weights_nkl = auxiliary_nkhw.flatten(2).softmax(axis == GatherAxis::spatial ? 2 : 1);
  return features_ndhw.flatten(2).matmul(weights_nkl.transpose(1, 2)).unsqueeze(3);
}

ObjectContext::ObjectContext(std::int64_t width, std::int64_t key_width, const at::Generator& generator)
    : query_first_(pointwise(width, key_width, generator)),
      query_second_(pointwise(key_width, key_width, generator)),
      key_first_(pointwise(width, key_width, generator)),
      key_second_(pointwise(key_width, key_width, generator)),
      value_(pointwise(width, key_width, generator)),
      up_(pointwise(key_width, width, generator)) {
  const auto pair = [this](const std::string& name, NormedConvolution& first, NormedConvolution& second) {
    const auto group = register_module(name, std::make_shared<NamedModules>());
    first.register_in(*group->register_module("0", std::make_shared<NamedModules>()), "conv", "bn");
    second.register_in(*group->register_module("1", std::make_shared<NamedModules>()), "conv", "bn");
  };
  pair("query", query_first_, query_second_);
  pair("key", key_first_, key_second_);
  value_.register_in(*register_module("value", std::make_shared<NamedModules>()), "conv", "bn");
  up_.register_in(*register_module("up", std::make_shared<NamedModules>()), "conv", "bn");
}

at::Tensor ObjectContext::forward(const at::Tensor& features_ndhw, const at::Tensor& regions_ndk1) const {
  const at::Tensor query = query_second_.forward(query_first_.forward(features_ndhw));
  const at::Tensor key_ndk = key_second_.forward(key_first_.forward(regions_ndk1)).flatten(2);
  const at::Tensor value_ndk = value_.forward(regions_ndk1).flatten(2);
  const double scale = 1.0 / std::sqrt(static_cast<double>(query.size(1)));
  const at::Tensor attention_nlk = query.flatten(2).transpose(1, 2).matmul(key_ndk).mul(scale).softmax(2);
  const at::Tensor context_ndl = value_ndk.matmul(attention_nlk.transpose(1, 2));
  return up_.forward(context_ndl.reshape({query.size(0), -1, query.size(2), query.size(3)}));
}

}  // namespace seedbed::ocr
