#pragma once

#include <memory>
#include <string>

#include <ATen/core/Tensor.h>

#include "seedbed/backbone.hpp"
#include "seedbed/model_context.hpp"

namespace seedbed::bas {

/// The class maps of a classifier that was trained apart, on a network of its own: what a fit of `cam` leaves.
///
/// Threads: [one-at-a-time]. Gradient: none.
class ClassifierMaps {
 public:
  /// Takes the slot's backbone and gives it the tensors of `checkpoint`: backbone.*, classifier.weight [C,D,1,1].
  /// Throws: UserError for tensors that do not fit.
  ClassifierMaps(std::shared_ptr<Backbone> backbone, const NamedTensors& checkpoint, std::int64_t num_classes,
                 const std::string& tap);

  /// [N,3,H,W] -> [N,C,h,w].
  at::Tensor of(const at::Tensor& images_nchw, RunContext& run) const;

 private:
  std::shared_ptr<Backbone> backbone_;
  std::string tap_;
  at::Tensor weight_;
};

}  // namespace seedbed::bas
