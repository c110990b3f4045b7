#include "supervised.hpp"

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/loss.hpp"

namespace seedbed::supervised {
namespace {

constexpr std::string_view kTapNeed = "tap:";

// Modules by the names that the study gave them.
class NamedModules : public Module {
 public:
  using Module::register_module;
};

}  // namespace

Supervised::Supervised(const SupervisedParameters& parameters, const ModelContext& context)
    : parameters_(parameters),
      backbone_(register_module("backbone", context.backbone),
                {.freeze_backbone = parameters.freeze_backbone,
                 .batch_statistics = parameters.batch_norm == "batch",
                 .new_learning_rate_factor = parameters.new_learning_rate_factor,
                 .bias_learning_rate_factor = parameters.bias_learning_rate_factor,
                 .bias_weight_decay_factor = parameters.bias_weight_decay_factor}),
      head_(register_module("head", context.head)),
      losses_(context.losses),
      ignore_index_(context.ignore_index) {
  if (losses_.empty()) throw ContractError("host", "`supervised` is given its losses", "at least one", "none");
  const auto modules = register_module("losses", std::make_shared<NamedModules>());
  head_taps_ = all_taps_ = head_->wanted_taps();
  for (const WeightedLoss& weighted : losses_) {
    modules->register_module(weighted.name, weighted.loss);
    for (const std::string& need : weighted.loss->needs()) {
      if (need.starts_with(kTapNeed)) all_taps_.push_back(need.substr(kTapNeed.size()));
    }
  }
  for (const std::string& tap : all_taps_) find_tap(backbone_.backbone(), tap);
}

void Supervised::on_train_mode(bool /*on*/) { backbone_.keep_frozen_part_evaluating(); }

HeadResult Supervised::head_result(const NamedTensors& taps, const at::Tensor& images_nchw, RunContext* run) {
  HeadRequest request{
      .taps = {}, .input_height_px = images_nchw.size(2), .input_width_px = images_nchw.size(3), .run = run};
  for (const std::string& tap : head_taps_) request.taps[tap] = taps.at(tap);
  return head_->forward(request);
}

at::Tensor Supervised::predict(const at::Tensor& images_nchw, RunContext& run) {
  return head_result(backbone_.taps(images_nchw, head_taps_, &run), images_nchw, &run).logits_nkhw.contiguous();
}

std::vector<ParameterGroup> Supervised::parameter_groups() {
  std::vector<const Module*> added{head_.get()};
  for (const WeightedLoss& weighted : losses_) added.push_back(weighted.loss.get());
  return backbone_.parameter_groups(added);
}

LossTerms Supervised::training_step(const StepRequest& request) {
  const ViewBatch& batch = request.main();
  const NamedTensors kept = backbone_.taps(batch.images_nchw, all_taps_, request.run);
  const HeadResult output = head_result(kept, batch.images_nchw, request.run);
  LossRequest loss_request;
  loss_request.target_nhw = batch.target_nhw;
  loss_request.present_nc = batch.present_nc;
  loss_request.images_nchw = batch.images_nchw;
  loss_request.images_raw_nhwc = batch.images_raw_nhwc;
  loss_request.taps = kept;
  loss_request.companions = batch.companions;
  loss_request.valid = batch.valid;
  loss_request.ignore_index = ignore_index_;
  loss_request.step = request.step;
  loss_request.num_steps = request.num_steps;
  loss_request.run = request.run;
  LossTerms terms;
  for (const WeightedLoss& weighted : losses_) {
    if (request.term_weight && request.term_weight(weighted.name) == 0.0) continue;
    loss_request.logits = output.logits_nkhw;
    at::Tensor value = weighted.loss->compute(loss_request);
    if (parameters_.auxiliary_weight > 0) {
      for (const at::Tensor& auxiliary : output.auxiliary_logits) {
        loss_request.logits = auxiliary;
        value = value + parameters_.auxiliary_weight * weighted.loss->compute(loss_request);
      }
    }
    terms.emplace_back(weighted.name, weighted.weight * value);
  }
  return terms;
}

}  // namespace seedbed::supervised
