#include "supervised.hpp"

#include <algorithm>
#include <string_view>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/fine_tuning_parameters.hpp"
#include "seedbed/normed_convolution.hpp"
#include "seedbed/segmenter_requests.hpp"

namespace seedbed::supervised {
namespace {

kernels::LabelSampling sampling_from(const std::string& name) {
  if (name == "origins") return kernels::LabelSampling::origins;
  if (name == "corners") return kernels::LabelSampling::corners;
  return kernels::LabelSampling::centres;
}

bool reads(const Loss& loss, std::string_view what) {
  const std::vector<std::string> needs = loss.needs();
  return std::ranges::find(needs, what) != needs.end();
}

void freeze_norms(Backbone& backbone) {
  for (const ParameterGroup& group : grouped_parameters(backbone, "pretrained")) {
    if (!group.name.ends_with("_norm")) continue;
    for (at::Tensor parameter : group.parameters) parameter.set_requires_grad(false);
  }
}

// Companions lie over the labels: a loss that gets smaller labels gets them as small.
Companions resized(const Companions& companions, at::IntArrayRef from, at::IntArrayRef to,
                   kernels::LabelSampling sampling) {
  Companions result;
  for (const auto& [name, planes_nphw] : companions) {
    const bool lies_over = planes_nphw.dim() == 4 && planes_nphw.sizes().slice(2) == from;
    result[name] = lies_over ? kernels::resize_labels(planes_nphw.flatten(0, 1), to[0], to[1], sampling)
                                   .unflatten(0, planes_nphw.sizes().slice(0, 2))
                             : planes_nphw;
  }
  return result;
}

}  // namespace

Supervised::Supervised(const SupervisedParameters& parameters, const ModelContext& context)
    : parameters_(parameters),
      backbone_(register_module("backbone", context.backbone), fine_tuning_options(parameters)),
      head_(register_module("head", context.head)),
      losses_(context.losses),
      ignore_index_(context.ignore_index),
      sampling_(sampling_from(parameters.label_sampling)) {
  if (losses_.empty()) throw ContractError("host", "`supervised` is given its losses", "at least one", "none");
  if (!parameters_.train_norms) freeze_norms(backbone_.backbone());
  const auto modules = register_module("losses", std::make_shared<NamedModules>());
  head_taps_ = all_taps_ = head_->wanted_taps();
  for (const WeightedLoss& weighted : losses_) modules->register_module(weighted.name, weighted.loss);
  const std::vector<std::string> loss_taps = taps_of_losses(losses_);
  all_taps_.insert(all_taps_.end(), loss_taps.begin(), loss_taps.end());
  for (const std::string& tap : all_taps_) find_tap(backbone_.backbone(), tap);
}

void Supervised::on_train_mode(bool /*on*/) { backbone_.keep_frozen_part_evaluating(); }

Network Supervised::network(const std::vector<std::string>& taps, RunContext* run) {
  return [this, taps, run](const at::Tensor& images_nchw) {
    ScaledOutput output;
    output.taps = backbone_.taps(images_nchw, taps, run);
    HeadResult result = head_->forward(head_request(output.taps, head_taps_, images_nchw, run));
    output.logits_nkhw = std::move(result.logits_nkhw);
    output.auxiliary_logits = std::move(result.auxiliary_logits);
    return output;
  };
}

at::Tensor Supervised::predict(const at::Tensor& images_nchw, RunContext& run) {
  const std::vector<double> none;
  const auto& scales = parameters_.fuse_predictions ? parameters_.further_scales : none;
  return largest_logits(outputs_at_scales(network(head_taps_, &run), images_nchw, scales)).contiguous();
}

std::vector<ParameterGroup> Supervised::parameter_groups() {
  std::vector<const Module*> added{head_.get()};
  for (const WeightedLoss& weighted : losses_) added.push_back(weighted.loss.get());
  return backbone_.parameter_groups(added);
}

std::vector<ScaledOutput> Supervised::training_outputs(const StepRequest& request) {
  std::vector<ScaledOutput> outputs =
      outputs_at_scales(network(all_taps_, request.run), request.main().images_nchw, parameters_.further_scales);
  if (outputs.size() > 1) {
    at::Tensor largest = largest_logits(outputs);
    outputs.push_back({std::move(largest), {}, outputs.front().taps});
  }
  return outputs;
}

at::Tensor Supervised::value_at(Loss& loss, LossRequest& request, const at::Tensor& logits) const {
  request.logits = logits;
  if (parameters_.loss_resolution == "labels" || !reads(loss, "target")) return loss.compute(request);
  LossRequest at_cells = request;
  const at::IntArrayRef from = request.target_nhw.sizes().slice(1), to = logits.sizes().slice(2);
  at_cells.target_nhw = kernels::resize_labels(request.target_nhw, to[0], to[1], sampling_);
  at_cells.companions = resized(request.companions, from, to, sampling_);
  return loss.compute(at_cells);
}

at::Tensor Supervised::value_of(Loss& loss, LossRequest& request, const std::vector<ScaledOutput>& outputs) const {
  if (!reads(loss, "logits")) {
    request.logits = outputs.front().logits_nkhw;
    request.taps = outputs.front().taps;
    return loss.compute(request);
  }
  at::Tensor sum;
  const auto add = [&](const at::Tensor& value) { sum = sum.defined() ? sum + value : value; };
  for (const ScaledOutput& output : outputs) {
    request.taps = output.taps;
    add(value_at(loss, request, output.logits_nkhw));
    if (parameters_.auxiliary_weight == 0) continue;
    for (const at::Tensor& auxiliary : output.auxiliary_logits) {
      add(parameters_.auxiliary_weight * value_at(loss, request, auxiliary));
    }
  }
  return sum;
}

LossTerms Supervised::training_step(const StepRequest& request) {
  const std::vector<ScaledOutput> outputs = training_outputs(request);
  LossRequest asked = loss_request(request, ignore_index_);
  LossTerms terms;
  for (const WeightedLoss& weighted : losses_) {
    if (request.term_weight && request.term_weight(weighted.name) == 0.0) continue;
    terms.emplace_back(weighted.name, weighted.weight * value_of(*weighted.loss, asked, outputs));
  }
  return terms;
}

}  // namespace seedbed::supervised
