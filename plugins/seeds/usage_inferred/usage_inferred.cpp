#include "usage_inferred.hpp"

#include <algorithm>
#include <string>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "adjustment.hpp"
#include "seedbed/classifier_generator.hpp"
#include "seedbed/error.hpp"
#include "seedbed/fine_tuning_parameters.hpp"
#include "seedbed/kernels/view_geometry.hpp"

namespace seedbed::usage_inferred {
namespace {

constexpr const char* kTokens = "tokens";
constexpr const char* kRegularisation = "regularisation";

// In place of a map's value where only one of two views sees a cell: its weight is 0 on both sides, and nothing overflows.
constexpr double kNoWeight = -1e6;

bool has_tap(const Backbone& backbone, const std::string& name) {
  return std::ranges::any_of(backbone.taps(), [&](const TapInfo& tap) {
    return tap.name == name || std::ranges::find(tap.aliases, name) != tap.aliases.end();
  });
}

at::Tensor soft_margin(const at::Tensor& scores_nc, const at::Tensor& present_nc) {
  return at::binary_cross_entropy_with_logits(scores_nc, present_nc.to(scores_nc.scalar_type()));
}

kernels::ViewPlane plane_of(const ViewBatch& batch) {
  return {batch.to_image_n23, batch.images_nchw.size(2), batch.images_nchw.size(3)};
}

// 0 before the first step, 1 from the given epoch on, linear in between.
double ramp(const StepRequest& request, double epochs) {
  if (epochs <= 0 || request.num_steps <= 0) return 1.0;
  const double epoch = static_cast<double>(request.step) / static_cast<double>(request.num_steps) *
                       static_cast<double>(request.num_epochs);
  return std::min(1.0, epoch / epochs);
}

}  // namespace

UsageInferred::UsageInferred(const UsageInferredParameters& parameters, const ModelContext& context)
    : parameters_(parameters),
      backbone_(register_module("backbone", context.backbone), fine_tuning_options(parameters)) {
  const TapInfo tap = find_tap(backbone_.backbone(), parameters_.tap);
  if (tap.is_sequence) {
    throw UserError("tap", "class maps need a map, and this tap is a sequence: `" + tap.name + "`",
                    "a tap that is a map; of a transformer `final`");
  }
  if (parameters_.head_kernel % 2 == 0) {
    throw UserError("head_kernel",
                    "a kernel has a centre, so its side is odd: `" + std::to_string(parameters_.head_kernel) + "`",
                    "1 or 3");
  }
  const bool wants_attention = parameters_.attention_fusion != "none" || parameters_.cell_affinity;
  if (wants_attention && !has_tap(backbone_.backbone(), kTokens)) {
    throw UserError("attention_fusion", "this backbone has no attention between tokens",
                    "a vision transformer, or attention_fusion = \"none\" and cell_affinity = false");
  }
  for (const auto& shares : {parameters_.student_drop, parameters_.teacher_drop}) {
    if (parameters_.adjustment == "none") break;
    Adjustment({parameters_.adjustment, parameters_.adjustment_policy == "ranked", true, shares}, backbone_.backbone(),
               {});
  }
  const Conv2dOptions options{.in_channels = tap.channels,
                              .out_channels = context.num_classes(),
                              .kernel = parameters_.head_kernel,
                              .padding = parameters_.head_kernel / 2,
                              .bias = parameters_.head_bias};
  classifier_ = register_module("classifier", std::make_shared<Conv2d>(options, context.run->generator()));
  dropout_ = register_module("dropout", std::make_shared<Dropout>(parameters_.dropout, /*whole_channels=*/true));
}

void UsageInferred::on_train_mode(bool /*on*/) { backbone_.keep_frozen_part_evaluating(); }

DistributionRule UsageInferred::rule() const {
  return {.axis = parameters_.axis, .convention = parameters_.convention};
}

bool UsageInferred::has_token_logits() const {
  if (!parameters_.token_logits || !has_tap(backbone_.backbone(), kTokens)) return false;
  const std::int64_t side = backbone_.backbone().size_multiple_px();
  return backbone_.backbone().token_layout(side, side).class_tokens == classifier_->options.out_channels;
}

UsageInferred::Pass UsageInferred::pass(const at::Tensor& images_nchw, RunContext* run, SiteRewriter* rewriter) const {
  const bool with_tokens = has_token_logits();
  std::vector<std::string> names{parameters_.tap};
  if (with_tokens) names.emplace_back(kTokens);
  const NamedTensors taps = backbone_.taps(images_nchw, names, run, rewriter);
  Pass result;
  result.maps_nchw = classifier_->forward(dropout_->forward(taps.at(parameters_.tap), run->generator()));
  // MCTformer, models.py: a class token's logit is the mean of its channels.
  if (with_tokens) result.token_logits_nc = taps.at(kTokens).slice(1, 0, classifier_->options.out_channels).mean(2);
  return result;
}

UsageInferred::Pass UsageInferred::adjusted_pass(const ViewBatch& batch, const std::vector<double>& shares,
                                                 RunContext* run) const {
  if (parameters_.adjustment == "none") return pass(batch.images_nchw, run, nullptr);
  Adjustment adjustment({.kind = parameters_.adjustment,
                         .ranked = parameters_.adjustment_policy == "ranked",
                         .rescale = parameters_.adjustment_rescale,
                         .shares = shares},
                        backbone_.backbone(), run->generator());
  return pass(batch.images_nchw, run, &adjustment);
}

const UsageInferred& UsageInferred::teacher_of(const StepRequest& request) const {
  if (request.teacher == nullptr) return *this;
  const auto* teacher = dynamic_cast<const UsageInferred*>(request.teacher);
  if (teacher != nullptr) return *teacher;
  throw ContractError("host", "a teacher is of the student's method", "`usage_inferred`", "another method");
}

const ViewBatch& UsageInferred::teachers_view(const StepRequest& request) const {
  if (parameters_.teacher_view == "main") return request.main();
  const StreamBatch& views = request.streams.at("main");
  const auto view = views.find(parameters_.teacher_view);
  if (view != views.end()) return view->second;
  throw UserError("teacher_view", "the steps of this fit have no view `" + parameters_.teacher_view + "`",
                  "`main`, or a view of that name in `train.views`");
}

at::Tensor UsageInferred::regularisation(const StepRequest& request, const at::Tensor& student_maps_nchw) const {
  const ViewBatch &batch = request.main(), &seen = teachers_view(request);
  at::Tensor student_maps = student_maps_nchw, teacher_maps;
  {
    const c10::NoGradGuard no_grad;
    teacher_maps = teacher_of(request).adjusted_pass(seen, parameters_.teacher_drop, request.run).maps_nchw;
  }
  if (&seen != &batch) {
    const std::int64_t height = student_maps.size(2), width = student_maps.size(3);
    const kernels::ViewPlane source = plane_of(seen), target = plane_of(batch);
    const at::Tensor hidden = kernels::covered_in_view(source, target, height, width).logical_not();
    teacher_maps = kernels::maps_in_view(teacher_maps, source, target, height, width).masked_fill(hidden, kNoWeight);
    student_maps = student_maps.masked_fill(hidden, kNoWeight);
  }
  const double tau = parameters_.regularisation_tau;
  const at::Tensor classes_nc =
      parameters_.regularised_classes == "all" ? at::ones_like(batch.present_nc) : batch.present_nc;
  return inconsistency(log_distribution(student_maps, tau, rule()), log_distribution(teacher_maps, tau, rule()),
                       classes_nc, parameters_.regularisation, rule());
}

LossTerms UsageInferred::training_step(const StepRequest& request) {
  const ViewBatch& batch = request.main();
  const Pass student = adjusted_pass(batch, parameters_.student_drop, request.run);
  const at::Tensor log_alpha_ncm = log_distribution(student.maps_nchw, parameters_.generation_tau, rule());
  const at::Tensor scores_nc = activation_scores(student.maps_nchw, log_alpha_ncm, parameters_.score_normalisation);
  LossTerms terms{{"generation", soft_margin(scores_nc, batch.present_nc)}};
  if (student.token_logits_nc.defined()) {
    terms.emplace_back("class_tokens", soft_margin(student.token_logits_nc, batch.present_nc));
  }
  const double share = ramp(request, parameters_.regularisation_rampup_epochs);
  if (share > 0 && request.term_weight && request.term_weight(kRegularisation) > 0) {
    terms.emplace_back(kRegularisation, regularisation(request, student.maps_nchw) * share);
  }
  return terms;
}

at::Tensor UsageInferred::fused_maps(const SeedRequest& request, const at::Tensor& maps_nchw) const {
  const AttentionFusion fusion{.rule = parameters_.attention_fusion,
                               .layers = parameters_.attention_layers,
                               .cell_affinity = parameters_.cell_affinity};
  if (!fusion.needs_attention()) return maps_nchw;
  ForwardRequest forward;
  forward.images_nchw = request.images_nchw;
  forward.keep = {kTokens};
  forward.attention = attention_plan(backbone_.backbone());
  forward.run = request.run;
  const NamedTensors attention = backbone_.backbone().forward(forward).attention;
  const TokenLayout layout =
      backbone_.backbone().token_layout(request.images_nchw.size(2), request.images_nchw.size(3));
  return fuse_attention(maps_nchw, attention, layout, fusion);
}

SeedResult UsageInferred::generate(const SeedRequest& request) {
  const Pass plain = pass(request.images_nchw, request.run, nullptr);
  SeedResult result;
  result.maps.scores_nphw = fused_maps(request, plain.maps_nchw).contiguous();
  result.maps.planes = foreground_planes(classifier_->options.out_channels);
  for (const View& view : request.views) result.maps.covered.push_back(view.covered);
  const at::Tensor log_alpha_ncm = log_distribution(plain.maps_nchw, parameters_.generation_tau, rule());
  if (request.logits_wanted) {
    result.logits_nc = activation_scores(plain.maps_nchw, log_alpha_ncm, parameters_.score_normalisation);
  }
  for (const std::string& name : request.side_artefacts_wanted) {
    if (name != "activation_distribution") {
      throw UserError("keep", "`usage_inferred` makes no side artefact `" + name + "`", "`activation_distribution`");
    }
    result.side_artefacts[name] = log_alpha_ncm.exp().view_as(plain.maps_nchw);
  }
  return result;
}

}  // namespace seedbed::usage_inferred
