#include "segmenter_parts.hpp"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::label_correction {
namespace {

constexpr std::string_view kTapNeed = "tap:";

// Modules by the names that the study gave them.
class NamedModules : public Module {
 public:
  using Module::register_module;
};

}  // namespace

SegmenterParts::SegmenterParts(std::string_view strategy, const ModelContext& context, FineTuningOptions options,
                               double auxiliary_weight)
    : backbone_(context.backbone, std::move(options)),
      head_(context.head),
      losses_(context.losses),
      auxiliary_weight_(auxiliary_weight),
      ignore_index_(context.ignore_index) {
  if (losses_.empty()) {
    throw ContractError("host", "`" + std::string(strategy) + "` is given its losses", "at least one", "none");
  }
  const auto modules = std::make_shared<NamedModules>();
  losses_module_ = modules;
  head_taps_ = all_taps_ = head_->wanted_taps();
  for (const WeightedLoss& weighted : losses_) {
    modules->register_module(weighted.name, weighted.loss);
    for (const std::string& need : weighted.loss->needs()) {
      if (need.starts_with(kTapNeed)) all_taps_.push_back(need.substr(kTapNeed.size()));
    }
  }
  for (const std::string& tap : all_taps_) find_tap(backbone_.backbone(), tap);
}

std::vector<ParameterGroup> SegmenterParts::parameter_groups(const std::vector<const Module*>& more) const {
  std::vector<const Module*> added{head_.get(), losses_module_.get()};
  added.insert(added.end(), more.begin(), more.end());
  return backbone_.parameter_groups(added);
}

bool SegmenterParts::any_loss_needs(std::string_view need) const {
  return std::ranges::any_of(losses_, [&](const WeightedLoss& weighted) {
    const std::vector<std::string> needs = weighted.loss->needs();
    return std::ranges::find(needs, need) != needs.end();
  });
}

HeadResult SegmenterParts::head_result(const NamedTensors& taps, const at::Tensor& images_nchw, RunContext* run) const {
  HeadRequest request{
      .taps = {}, .input_height_px = images_nchw.size(2), .input_width_px = images_nchw.size(3), .run = run};
  for (const std::string& tap : head_taps_) request.taps[tap] = taps.at(tap);
  return head_->forward(request);
}

Pass SegmenterParts::pass(const at::Tensor& images_nchw, RunContext* run) const {
  Pass pass;
  pass.taps = backbone_.taps(images_nchw, all_taps_, run);
  pass.output = head_result(pass.taps, images_nchw, run);
  return pass;
}

at::Tensor SegmenterParts::logits(const at::Tensor& images_nchw, RunContext* run) const {
  return head_result(backbone_.taps(images_nchw, head_taps_, run), images_nchw, run).logits_nkhw;
}

LossRequest SegmenterParts::loss_request(const StepRequest& request, const Pass& pass, const Labels& labels) const {
  const ViewBatch& batch = request.main();
  LossRequest loss;
  loss.target_nhw = labels.target_nhw;
  loss.pixel_weights_nhw = labels.weights_nhw;
  loss.present_nc = batch.present_nc;
  loss.images_nchw = batch.images_nchw;
  loss.images_raw_nhwc = batch.images_raw_nhwc;
  loss.taps = pass.taps;
  loss.companions = batch.companions;
  loss.valid = batch.valid;
  loss.ignore_index = ignore_index_;
  loss.step = request.step;
  loss.num_steps = request.num_steps;
  loss.run = request.run;
  return loss;
}

LossTerms SegmenterParts::terms(const StepRequest& request, const Pass& pass, const Labels& labels) const {
  LossRequest asked = loss_request(request, pass, labels);
  LossTerms terms;
  for (const WeightedLoss& weighted : losses_) {
    if (request.term_weight && request.term_weight(weighted.name) == 0.0) continue;
    asked.logits = pass.output.logits_nkhw;
    at::Tensor value = weighted.loss->compute(asked);
    if (auxiliary_weight_ > 0) {
      for (const at::Tensor& auxiliary : pass.output.auxiliary_logits) {
        asked.logits = auxiliary;
        value = value + auxiliary_weight_ * weighted.loss->compute(asked);
      }
    }
    terms.emplace_back(weighted.name, weighted.weight * value);
  }
  return terms;
}

}  // namespace seedbed::label_correction
