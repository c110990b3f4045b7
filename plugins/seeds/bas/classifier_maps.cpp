#include "classifier_maps.hpp"

#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"

namespace seedbed::bas {
namespace {

constexpr std::string_view kBackbone = "backbone.";
constexpr std::string_view kClassifier = "classifier.weight";

[[noreturn]] void refuse(const std::string& what) {
  throw UserError("cam_weights", "the file does not fit the CAM's network: " + what,
                  "the checkpoint of a fit of `cam` without a bias, and the same backbone in `uses.cam_backbone`");
}

}  // namespace

ClassifierMaps::ClassifierMaps(std::shared_ptr<Backbone> backbone, const NamedTensors& checkpoint,
                               std::int64_t num_classes, const std::string& tap)
    : backbone_(std::move(backbone)), tap_(tap) {
  const std::int64_t channels = find_tap(*backbone_, tap_).channels;
  const auto weight = checkpoint.find(kClassifier);
  if (weight == checkpoint.end()) refuse("it has no `classifier.weight`");
  if (weight->second.sizes() != at::IntArrayRef({num_classes, channels, 1, 1})) {
    refuse("`classifier.weight` is not `[" + std::to_string(num_classes) + ", " + std::to_string(channels) +
           ", 1, 1]`");
  }
  NamedTensors of_backbone;
  for (const auto& [name, tensor] : checkpoint) {
    if (name.starts_with(kBackbone)) of_backbone[name.substr(kBackbone.size())] = tensor;
  }
  const c10::NoGradGuard no_grad;
  const StateReport report = backbone_->load_state(of_backbone);
  if (!report.missing.empty()) refuse("it lacks `" + report.missing.front() + "`");
  if (!report.misshapen.empty()) refuse(report.misshapen.front());
  if (!report.extra.empty()) refuse("the network has no `" + report.extra.front() + "`");
  weight_ = weight->second.clone();
  backbone_->train(false);
}

at::Tensor ClassifierMaps::of(const at::Tensor& images_nchw, RunContext& run) const {
  const c10::NoGradGuard no_grad;
  ForwardRequest request;
  request.images_nchw = images_nchw;
  request.keep = {tap_};
  request.run = &run;
  return at::conv2d(backbone_->forward(request).taps.at(tap_), weight_.to(images_nchw.device()));
}

}  // namespace seedbed::bas
