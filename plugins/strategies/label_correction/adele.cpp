#include "adele.hpp"

#include <optional>
#include <string>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "memorisation_curve.hpp"
#include "probability_refinement.hpp"
#include "seedbed/error.hpp"
#include "seedbed/fine_tuning_parameters.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::label_correction {
namespace {

constexpr std::string_view kConsistency = "consistency";
constexpr std::string_view kLabels = "labels", kGeometry = "labels_geometry", kOverlaps = "overlaps";
constexpr std::size_t kMinPoints = 3;  // the curve has as many parameters

std::shared_ptr<Refiner> refiner_of(const ModelContext& context) {
  const auto slot = context.uses.find("label_refiner");
  return slot == context.uses.end() ? nullptr : slot->second.refiner;
}

at::Tensor at_size_of(const at::Tensor& logits_nkhw, const at::Tensor& images_nchw) {
  return kernels::resize_maps(logits_nkhw, images_nchw.size(2), images_nchw.size(3), /*align_corners=*/true);
}

void require_image(const ViewBatch& image, bool has_refiner) {
  if (!image.present_nc.defined()) {
    throw ContractError("host", "a strategy gets the image labels that it declares", "present_nc", "none");
  }
  if (has_refiner && !image.images_raw_nhwc.defined()) {
    throw ContractError("host", "a strategy gets the images that it needs", "images_raw_nhwc", "none");
  }
}

}  // namespace

Adele::Adele(const AdeleParameters& parameters, const ModelContext& context)
    : parameters_(parameters),
      parts_(AdeleParameters::kId, context, fine_tuning_options(parameters), parameters.auxiliary_weight),
      refiner_(refiner_of(context)),
      num_labels_(context.num_classes() + 1) {
  register_module("backbone", context.backbone);
  register_module("head", parts_.head());
  scale_weights_ = register_module(
      "scale_weights", std::make_shared<ScaleWeights>(static_cast<std::int64_t>(parameters_.training_scales.size())));
  register_module("losses", parts_.losses());
}

void Adele::on_train_mode(bool /*on*/) { parts_.backbone().keep_frozen_part_evaluating(); }

at::Tensor Adele::predict(const at::Tensor& images_nchw, RunContext& run) {
  return parts_.logits(images_nchw, &run).contiguous();
}

// One a scale, logits at the batch's size.
std::vector<Pass> Adele::passes(const ViewBatch& batch, RunContext* run) const {
  const Backbone& network = parts_.backbone().backbone();
  std::vector<Pass> passes;
  for (const double scale : parameters_.training_scales) {
    Pass pass = parts_.pass(
        scaled_images(batch.images_nchw, scale, network.size_multiple_px(), network.minimum_size_px()), run);
    pass.output.logits_nkhw = at_size_of(pass.output.logits_nkhw, batch.images_nchw);
    passes.push_back(std::move(pass));
  }
  return passes;
}

// Each loss sees every scale's logits times the scale's weight; its term is the mean.
LossTerms Adele::pixel_terms(const StepRequest& request, const std::vector<Pass>& passes, const Labels& labels) const {
  const at::Tensor weights = scale_weights_->weights();
  LossTerms sums;
  for (std::size_t k = 0; k < passes.size(); ++k) {
    Pass weighted = passes[k];
    weighted.output.logits_nkhw = passes[k].output.logits_nkhw * weights[static_cast<std::int64_t>(k)];
    const LossTerms terms = parts_.terms(request, weighted, labels);
    if (sums.empty()) {
      sums = terms;
      continue;
    }
    for (std::size_t i = 0; i < terms.size(); ++i) sums[i].second = sums[i].second + terms[i].second;
  }
  for (auto& [name, value] : sums) value = value / static_cast<double>(passes.size());
  return sums;
}

LossTerms Adele::training_step(const StepRequest& request) {
  const ViewBatch& batch = request.main();
  const CorrectedLabels store(request.map_store(kLabels), request.map_store(kGeometry));
  const Labels labels{store.of_batch(batch), {}};
  const std::vector<Pass> all = passes(batch, request.run);
  LossTerms terms = pixel_terms(request, all, labels);
  if (all.size() > 1 && (!request.term_weight || request.term_weight(kConsistency) != 0.0)) {
    std::vector<at::Tensor> logits;
    for (const Pass& pass : all) logits.push_back(pass.output.logits_nkhw);
    const auto where =
        parameters_.consistency_where == "images" ? AgreementWhere::confident_images : AgreementWhere::confident_pixels;
    terms.emplace_back(kConsistency, disagreement(logits, parameters_.consistency_confidence, where));
  }
  history(request.map_store(kOverlaps)).count(all.front().output.logits_nkhw.detach().argmax(1), labels.target_nhw);
  return terms;
}

void Adele::after_step(const StepRequest& request) {
  const std::int64_t done = request.step + 1;
  if (done % parameters_.record_every != 0) return;
  const double epochs =
      static_cast<double>(request.num_epochs) * static_cast<double>(done) / static_cast<double>(request.num_steps);
  history(request.map_store(kOverlaps)).record(epochs);
}

at::Tensor Adele::corrected_after(std::int64_t epoch, OverlapHistory history) const {
  at::Tensor corrected_k = history.corrected_k().clone();
  for (std::int64_t label = 1; label < num_labels_; ++label) {
    const std::vector<CurvePoint> points = history.points(label);
    if (points.size() < kMinPoints) continue;
    const int from =
        update_epoch(fitted_curve(points), parameters_.relative_change, static_cast<int>(parameters_.horizon_epochs));
    if (epoch >= from) corrected_k[label] = true;
  }
  return corrected_k;
}

void Adele::after_epoch(EpochServices& services) {
  const std::int64_t epoch = services.epoch() + 1;
  OverlapHistory overlaps = history(services.map_store(kOverlaps));
  overlaps.record(static_cast<double>(epoch));
  const at::Tensor corrected_k = corrected_after(epoch, overlaps);
  overlaps.set_corrected(corrected_k);
  if (!corrected_k.any().item<bool>()) return;
  CorrectedLabels labels(services.map_store(kLabels), services.map_store(kGeometry));
  services.for_each_image([&](const ViewBatch& image) { correct(image, corrected_k, labels, services); });
}

// The network's probabilities [K,H,W] of a whole image: the mean of the logits over scales and mirrors.
at::Tensor Adele::probabilities(const ViewBatch& image, EpochServices& services) {
  at::Tensor sum;
  const auto add = [&](const at::Tensor& logits_nkhw) { sum = sum.defined() ? sum + logits_nkhw : logits_nkhw; };
  Backbone& network = *backbone();
  for (const double scale : parameters_.correction_scales) {
    const at::Tensor images =
        scaled_images(image.images_nchw, scale, network.size_multiple_px(), network.minimum_size_px());
    add(at_size_of(parts_.logits(images, &services.run()), image.images_nchw));
    if (parameters_.correction_flip) {
      add(at_size_of(parts_.logits(images.flip(3), &services.run()), image.images_nchw).flip(3));
    }
  }
  const double views =
      static_cast<double>(parameters_.correction_scales.size()) * (parameters_.correction_flip ? 2 : 1);
  return (sum / views).softmax(1)[0];
}

void Adele::correct(const ViewBatch& image, const at::Tensor& corrected_k, CorrectedLabels& labels,
                    EpochServices& services) {
  const bool refines = refiner_ && services.epoch() + 1 >= parameters_.refine_from_epoch;
  require_image(image, refines);
  at::Tensor probabilities_khw = probabilities(image, services);
  if (refines) {
    Probabilities all{.planes_phw = probabilities_khw,
                      .names = labels_of(at::ones_like(image.present_nc[0])),
                      .image_hwc = image.images_raw_nhwc[0],
                      .image_id = image.image_ids.front()};
    probabilities_khw = refined(all, refiner_.get(), &services.run());
  }
  // Background may always return; a class only where the image's label names it, and once its time has come.
  at::Tensor allowed_k = corrected_k.clone();
  allowed_k.slice(0, 1).logical_and_(image.present_nc[0].cpu());
  allowed_k[kBackgroundLabel] = true;
  const CorrectionRule rule{.min_confidence = parameters_.correction_confidence};
  const at::Tensor before_hw = labels.of_image(image);
  const std::optional<at::Tensor> after_hw = corrected(before_hw, probabilities_khw, allowed_k, rule);
  if (after_hw && !at::equal(*after_hw, before_hw)) labels.keep(image, *after_hw);
}

}  // namespace seedbed::label_correction
