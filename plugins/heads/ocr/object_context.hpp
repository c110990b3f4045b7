#pragma once

#include <cstdint>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "seedbed/normed_convolution.hpp"

namespace seedbed::ocr {

/// What the softmax over auxiliary logits sums to one over.
enum class GatherAxis { spatial, classes };

/// One descriptor a class (ECCV 2020, equation 2): features averaged over the cells with the weights
/// softmax(auxiliary logits). [N,K,h,w] and [N,D,h,w] -> [N,D,K,1], classes as cells.
///
/// Requires: maps of one size. Gradient: follows the caller's mode. Threads: [any-thread].
at::Tensor gather_regions(const at::Tensor& auxiliary_nkhw, const at::Tensor& features_ndhw, GatherAxis axis);

/// Attention of cells to class descriptors (equations 3 and 4): queries of the cells, keys and values of the descriptors,
/// softmax(q.k / sqrt(key width)) over the classes, and a convolution back to the features' width.
///
/// State names: query.0.*, query.1.*, key.0.* ..., value.*, up.*, each convolution with its norm beside it.
/// Threads: [one-at-a-time].
class ObjectContext : public NamedModules {
 public:
  ObjectContext(std::int64_t width, std::int64_t key_width, const at::Generator& generator);

  /// [N,D,h,w] and [N,D,K,1] -> [N,D,h,w]. Throws: UserError in training on a batch of one value a channel.
  at::Tensor forward(const at::Tensor& features_ndhw, const at::Tensor& regions_ndk1) const;

 private:
  NormedConvolution query_first_, query_second_, key_first_, key_second_, value_, up_;
};

}  // namespace seedbed::ocr
