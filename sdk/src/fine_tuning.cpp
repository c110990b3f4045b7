#include "seedbed/fine_tuning.hpp"

#include <algorithm>
#include <utility>

#include <c10/core/GradMode.h>

namespace seedbed {
namespace {

std::ptrdiff_t position(const Backbone& backbone, std::string_view tap) {
  const std::vector<TapInfo> taps = backbone.taps();
  const std::string name = find_tap(backbone, tap).name;
  return std::ranges::find(taps, name, &TapInfo::name) - taps.begin();
}

}  // namespace

FineTunedBackbone::FineTunedBackbone(std::shared_ptr<Backbone> backbone, FineTuningOptions options)
    : backbone_(std::move(backbone)), options_(std::move(options)) {
  if (is_frozen()) {
    backbone_->set_requires_grad(false);
  } else if (options_.freeze_backbone != "none") {
    find_tap(*backbone_, options_.freeze_backbone);
  }
}

void FineTunedBackbone::keep_frozen_part_evaluating() {
  if (is_frozen()) backbone_->train(false);
}

NamedTensors FineTunedBackbone::taps(const at::Tensor& images_nchw, const std::vector<std::string>& names,
                                     RunContext* run, SiteRewriter* rewriter) const {
  ForwardRequest request;
  request.images_nchw = images_nchw;
  request.rewriter = rewriter;
  request.keep = names;
  request.run = run;
  NamedTensors taps;
  if (options_.freeze_backbone != "none") {
    const std::string& cut = options_.freeze_backbone;
    const c10::NoGradGuard no_grad;
    if (is_frozen()) return backbone_->forward(request).taps;
    const auto lies_behind_cut = [&](const std::string& name) {
      return position(*backbone_, name) > position(*backbone_, cut);
    };
    const auto live = std::stable_partition(request.keep.begin(), request.keep.end(), std::not_fn(lies_behind_cut));
    const std::vector<std::string> live_names(live, request.keep.end());
    request.keep.erase(live, request.keep.end());
    request.keep.push_back(cut);
    taps = backbone_->forward(request).taps;
    if (live_names.empty()) return taps;
    request.from = FromTap{cut, taps.at(cut), images_nchw.size(2), images_nchw.size(3)};
    request.images_nchw.reset();
    request.keep = live_names;
  }
  if (options_.batch_statistics && backbone_->is_training()) request.batch_norm = BatchNormMode::batch;
  for (auto& [name, value] : backbone_->forward(request).taps) taps[name] = value;
  return taps;
}

std::vector<ParameterGroup> FineTunedBackbone::parameter_groups(const std::vector<const Module*>& added) const {
  std::vector<ParameterGroup> groups = grouped_parameters(*backbone_, "pretrained");
  for (const Module* module : added) {
    for (ParameterGroup& group : grouped_parameters(*module, "new")) groups.push_back(std::move(group));
  }
  for (ParameterGroup& group : groups) {
    if (group.name.starts_with("new")) group.learning_rate_factor = options_.new_learning_rate_factor;
    if (!group.name.ends_with("_bias")) continue;
    group.learning_rate_factor *= options_.bias_learning_rate_factor;
    group.weight_decay_factor *= options_.bias_weight_decay_factor;
  }
  return groups;
}

}  // namespace seedbed
