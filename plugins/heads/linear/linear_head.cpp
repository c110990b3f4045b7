#include "linear_head.hpp"

#include "seedbed/map_tap.hpp"

namespace seedbed::linear_head {

LinearHead::LinearHead(const LinearParameters& parameters, const ModelContext& context) : tap_(parameters.tap) {
  const Conv2dOptions options{.in_channels = find_map_tap(*context.backbone, tap_, "tap").channels,
                              .out_channels = context.output_channels};
  dropout_ = register_module("dropout", std::make_shared<Dropout>(parameters.dropout, /*whole_channels=*/true));
  classifier_ = register_module("classifier", std::make_shared<Conv2d>(options, context.run->generator()));
}

HeadResult LinearHead::forward(const HeadRequest& request) {
  const at::Tensor features = dropout_->forward(request.taps.at(tap_), request.run->generator());
  return {.logits_nkhw = classifier_->forward(features), .auxiliary_logits = {}};
}

}  // namespace seedbed::linear_head
