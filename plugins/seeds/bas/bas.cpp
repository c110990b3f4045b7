#include "bas.hpp"

#include <cmath>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "bas_losses.hpp"
#include "seedbed/error.hpp"
#include "seedbed/fine_tuning_parameters.hpp"

namespace seedbed::bas {
namespace {

// Both classifiers start by Xavier's rule (WSSS/net/resnet50_bas.py).
std::shared_ptr<Conv2d> xavier(const Conv2dOptions& options, const at::Generator& generator) {
  auto layer = std::make_shared<Conv2d>(options, generator);
  const c10::NoGradGuard no_grad;
  const auto cells = static_cast<double>(options.kernel * options.kernel);
  const double bound = std::sqrt(6.0 / (cells * static_cast<double>(options.in_channels + options.out_channels)));
  layer->weight.uniform_(-bound, bound, generator);
  return layer;
}

TapInfo map_tap(const Backbone& backbone, const std::string& name) {
  TapInfo tap = find_tap(backbone, name);
  if (!tap.is_sequence) return tap;
  throw UserError("bas", "BAS erases cells of a map, and this tap is a sequence: `" + name + "`", "a tap with a map");
}

// A class of each image, evenly among those present. [N] int64.
at::Tensor drawn_classes(const at::Tensor& present_nc, RunContext& run) {
  return at::multinomial(present_nc.to(at::kFloat), 1, /*replacement=*/false, run.generator()).squeeze(1);
}

}  // namespace

Bas::Bas(const BasParameters& parameters, const ModelContext& context)
    : parameters_(parameters),
      backbone_(register_module("backbone", context.backbone), fine_tuning_options(parameters)) {
  if (parameters_.map_kernel % 2 == 0) {
    throw UserError("map_kernel",
                    "a map keeps its size under an odd kernel: `" + std::to_string(parameters_.map_kernel) + "`",
                    "1, 3, 5 ...");
  }
  const Backbone& network = backbone_.backbone();
  const std::int64_t num_classes = context.num_classes();
  classifier_ = register_module(
      "classifier",
      xavier({.in_channels = map_tap(network, parameters_.tap).channels, .out_channels = num_classes, .bias = false},
             context.run->generator()));
  map_classifier_ =
      register_module("map_classifier", xavier({.in_channels = map_tap(network, parameters_.map_tap).channels,
                                                .out_channels = num_classes,
                                                .kernel = parameters_.map_kernel,
                                                .padding = parameters_.map_kernel / 2,
                                                .bias = false},
                                               context.run->generator()));
  if (!parameters_.train_biases) {
    for (auto& [name, parameter] : network.named_parameters()) {
      if (name.ends_with("bias")) at::Tensor(parameter).set_requires_grad(false);
    }
  }
  if (parameters_.fuse_cam == "separate") add_cam(context);
}

void Bas::add_cam(const ModelContext& context) {
  const auto slot = context.uses.find("cam_backbone");
  if (slot == context.uses.end() || parameters_.cam_weights.empty()) {
    throw UserError("fuse_cam", "a CAM that was trained apart needs its network and its weights",
                    "`uses.cam_backbone` and `cam_weights`, the checkpoint of a fit of `cam`; or fuse_cam = \"own\"");
  }
  cam_.emplace(slot->second.backbone, context.run->weights("cam_weights"), context.num_classes(), parameters_.cam_tap);
}

void Bas::on_train_mode(bool /*on*/) { backbone_.keep_frozen_part_evaluating(); }

std::vector<ParameterGroup> Bas::parameter_groups() {
  return backbone_.parameter_groups({classifier_.get(), map_classifier_.get()});
}

Bas::Maps Bas::maps_of(const at::Tensor& images_nchw, RunContext& run) const {
  const NamedTensors taps = backbone_.taps(images_nchw, {parameters_.map_tap, parameters_.tap}, &run);
  const at::Tensor& source = taps.at(parameters_.map_tap);
  return {source, map_classifier_->forward(source).sigmoid(), classifier_->forward(taps.at(parameters_.tap))};
}

SeedResult Bas::generate(const SeedRequest& request) {
  const Maps maps = maps_of(request.images_nchw, *request.run);
  SeedResult result;
  result.maps.scores_nphw = maps.foreground.contiguous();
  result.maps.planes.resize(static_cast<std::size_t>(maps.foreground.size(1)));
  std::iota(result.maps.planes.begin(), result.maps.planes.end(), 1);
  for (const View& view : request.views) result.maps.covered.push_back(view.covered);
  if (parameters_.fuse_cam == "own") result.added_nchw = {maps.classes.contiguous()};
  if (cam_) result.added_nchw = {cam_->of(request.images_nchw, *request.run).contiguous()};
  if (request.logits_wanted) result.logits_nc = maps.classes.mean({2, 3});
  return result;
}

// The top layers see the source without the foreground. They are held fast: cut off from the graph, and their statistics
// stay as the whole image left them.
at::Tensor Bas::scores_without(const at::Tensor& foreground_n1hw, const at::Tensor& source, RunContext& run) const {
  Backbone& network = backbone_.backbone();
  const bool batch_statistics = parameters_.batch_norm == "batch" && network.is_training();
  ForwardRequest request;
  request.from = FromTap{parameters_.map_tap, source.detach() * (1 - foreground_n1hw)};
  request.keep = {parameters_.tap};
  request.parameters = ParameterMode::detached;
  request.batch_norm = batch_statistics ? BatchNormMode::batch_without_update : BatchNormMode::running;
  request.run = &run;
  const at::Tensor top = network.forward(request).taps.at(parameters_.tap);
  return classifier_->forward(top, ParameterMode::detached).mean({2, 3});
}

LossTerms Bas::map_terms(const Maps& maps, const at::Tensor& classes_n, RunContext& run) const {
  const at::Tensor foreground = of_classes(maps.foreground, classes_n);
  const at::Tensor guide = parameters_.foreground_gradient ? maps.classes : maps.classes.detach();
  const at::Tensor whole = of_classes(maps.classes.mean({2, 3}), classes_n).squeeze(1);
  const at::Tensor erased = of_classes(scores_without(foreground, maps.source, run), classes_n).squeeze(1);
  return {{"foreground", foreground_loss(guide, foreground, classes_n)},
          {"suppression", suppression_loss(erased, whole, parameters_.over_one == "constant1" ? 1.0 : 0.0)},
          {"area", foreground.mean()}};
}

at::Tensor Bas::classification_loss(const at::Tensor& logits_nc, const at::Tensor& present_nc) const {
  if (parameters_.classification == "grouped_softmax") return grouped_softmax_loss(logits_nc, present_nc);
  return at::binary_cross_entropy_with_logits(logits_nc, present_nc.to(logits_nc.scalar_type()));
}

LossTerms Bas::training_step(const StepRequest& request) {
  const ViewBatch& batch = request.main();
  const at::Tensor& present = batch.present_nc;
  Maps maps = maps_of(batch.images_nchw, *request.run);
  LossTerms terms{{"classification", classification_loss(maps.classes.mean({2, 3}), present)}};

  const at::Tensor with_class = present.any(1).nonzero().flatten();
  if (with_class.numel() == 0) {
    const at::Tensor nothing = maps.foreground.sum() * 0;
    for (const char* name : {"foreground", "suppression", "area"}) terms.emplace_back(name, nothing);
    return terms;
  }
  if (with_class.numel() < present.size(0)) {
    for (at::Tensor* part : {&maps.source, &maps.foreground, &maps.classes}) *part = part->index_select(0, with_class);
  }
  const at::Tensor classes = drawn_classes(present.index_select(0, with_class), *request.run);
  for (auto& term : map_terms(maps, classes, *request.run)) terms.push_back(std::move(term));
  return terms;
}

}  // namespace seedbed::bas
