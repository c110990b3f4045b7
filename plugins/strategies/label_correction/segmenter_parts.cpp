#include "segmenter_parts.hpp"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/normed_convolution.hpp"
#include "seedbed/segmenter_requests.hpp"

namespace seedbed::label_correction {
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
  for (const WeightedLoss& weighted : losses_) modules->register_module(weighted.name, weighted.loss);
  const std::vector<std::string> loss_taps = taps_of_losses(losses_);
  all_taps_.insert(all_taps_.end(), loss_taps.begin(), loss_taps.end());
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
  return head_->forward(head_request(taps, head_taps_, images_nchw, run));
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

LossTerms SegmenterParts::terms(const StepRequest& request, const Pass& pass, const Labels& labels) const {
  LossRequest asked = loss_request(request, ignore_index_);
  asked.target_nhw = labels.target_nhw;
  asked.pixel_weights_nhw = labels.weights_nhw;
  asked.taps = pass.taps;
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
