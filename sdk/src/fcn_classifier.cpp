#include "seedbed/fcn_classifier.hpp"

namespace seedbed {

FcnClassifier::FcnClassifier(std::int64_t in_channels, std::int64_t width, std::int64_t out_channels, double dropout,
                             const at::Generator& generator)
    : hidden_({.in_channels = in_channels, .out_channels = width, .kernel = 3, .padding = 1}, generator),
      dropout_(std::make_shared<Dropout>(dropout, /*whole_channels=*/false)) {
  hidden_.register_in(*this, "0", "1");
  register_module("3", dropout_);
  classifier_ = register_module(
      "4", std::make_shared<Conv2d>(Conv2dOptions{.in_channels = width, .out_channels = out_channels}, generator));
}

at::Tensor FcnClassifier::forward(const at::Tensor& map_nchw, const at::Generator& generator) const {
  return classifier_->forward(dropout_->forward(hidden_.forward(map_nchw), generator));
}

}  // namespace seedbed
