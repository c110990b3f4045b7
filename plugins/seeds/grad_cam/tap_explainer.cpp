#include "tap_explainer.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"

namespace seedbed::grad_cam {
namespace {

std::ptrdiff_t position(const Backbone& backbone, const TapInfo& tap) {
  const std::vector<TapInfo> taps = backbone.taps();
  return std::ranges::find(taps, tap.name, &TapInfo::name) - taps.begin();
}

}  // namespace

TapExplainer::TapExplainer(ClassifierOptions options, const std::string& tap, const ModelContext& context)
    : ClassifierGenerator(options, context), explained_(find_tap(*backbone(), tap)) {
  if (position(*backbone(), explained_) > position(*backbone(), classifier_tap())) {
    throw UserError("tap",
                    "the classifier's scores do not depend on a tap behind its own: `" + explained_.name +
                        "` lies behind `" + classifier_tap().name + "`",
                    "a tap up to `" + classifier_tap().name + "`, or another `classifier_tap`");
  }
  if (options.pooling.rule == "class_token" && explained_.name == classifier_tap().name) {
    throw UserError("tap", "a class token does not depend on the other tokens of its tap: `" + explained_.name + "`",
                    "an earlier tap, such as the block before");
  }
}

at::Tensor TapExplainer::activations_of(const at::Tensor& images_nchw, RunContext* run) {
  const c10::NoGradGuard no_grad;
  ForwardRequest request;
  request.images_nchw = images_nchw;
  request.keep = {explained_.name};
  request.parameters = ParameterMode::detached;
  request.run = run;
  return backbone()->forward(request).taps.at(explained_.name);
}

at::Tensor TapExplainer::scores_from(const at::Tensor& activations, std::int64_t height_px, std::int64_t width_px,
                                     RunContext* run) {
  at::Tensor value = activations;
  if (explained_.name != classifier_tap().name) {
    ForwardRequest request;
    request.from = FromTap{explained_.name, activations, height_px, width_px};
    request.keep = {classifier_tap().name};
    request.parameters = ParameterMode::detached;
    request.run = run;
    value = backbone()->forward(request).taps.at(classifier_tap().name);
  }
  return logits_of(value, height_px, width_px, *run);
}

at::Tensor TapExplainer::scores_of(const at::Tensor& images_nchw, RunContext* run) {
  const c10::NoGradGuard no_grad;
  ForwardRequest request;
  request.images_nchw = images_nchw;
  request.keep = {classifier_tap().name};
  request.run = run;
  const at::Tensor value = backbone()->forward(request).taps.at(classifier_tap().name);
  return logits_of(value, images_nchw.size(2), images_nchw.size(3), *run);
}

SeedResult TapExplainer::result_of(const SeedRequest& request, const at::Tensor& maps_nchw,
                                   const at::Tensor& logits_nc) const {
  SeedResult result;
  result.maps.scores_nphw = maps_nchw;
  result.maps.planes = foreground_planes(num_classes());
  for (const View& view : request.views) result.maps.covered.push_back(view.covered);
  if (request.logits_wanted) result.logits_nc = logits_nc.detach();
  return result;
}

std::vector<std::int64_t> TapExplainer::classes_wanted(const SeedRequest& request) const {
  std::vector<std::int64_t> classes;
  const at::Tensor wanted = request.present_nc.defined() ? request.present_nc.any(0).cpu() : at::Tensor();
  for (std::int64_t c = 0; c < num_classes(); ++c) {
    if (!wanted.defined() || wanted[c].item<bool>()) classes.push_back(c);
  }
  return classes;
}

}  // namespace seedbed::grad_cam
