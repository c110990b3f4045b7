#include "ema_fill.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "probability_refinement.hpp"
#include "seedbed/error.hpp"
#include "seedbed/fine_tuning_parameters.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::label_correction {
namespace {

std::shared_ptr<Refiner> refiner_of(const ModelContext& context) {
  const auto slot = context.uses.find("label_refiner");
  return slot == context.uses.end() ? nullptr : slot->second.refiner;
}

TrainingStrategy& teacher_of(const StepRequest& request) {
  auto* const teacher = dynamic_cast<TrainingStrategy*>(request.teacher);
  if (teacher != nullptr) return *teacher;
  throw UserError("train.ema_decay", "`ema_fill` fills labels by an averaged teacher, and the fit keeps none.",
                  "`ema_decay`, for instance 0.999");
}

void require_batch(const ViewBatch& batch, bool has_refiner) {
  if (!batch.present_nc.defined()) {
    throw ContractError("host", "a strategy gets the image labels that it declares", "present_nc", "none");
  }
  if (has_refiner && !batch.images_raw_nhwc.defined()) {
    throw ContractError("host", "a strategy gets the images that it needs", "images_raw_nhwc", "none");
  }
}

}  // namespace

Labels filled_labels(const at::Tensor& target_nhw, const at::Tensor& probabilities_nkhw, const at::Tensor& refined_nkhw,
                     const at::Tensor& present_nc) {
  const c10::NoGradGuard no_grad;
  const at::Tensor undecided_nhw = target_nhw.eq(kUndecidedLabel);
  const at::Tensor of_classes =
      probabilities_nkhw.slice(1, 1) * present_nc.to(probabilities_nkhw.scalar_type()).unsqueeze(2).unsqueeze(3);
  Labels labels;
  labels.target_nhw = at::where(undecided_nhw, refined_nkhw.argmax(1), target_nhw);
  labels.weights_nhw = at::where(undecided_nhw, of_classes.amax(1), at::ones_like(of_classes.select(1, 0)));
  return labels;
}

EmaFill::EmaFill(const EmaFillParameters& parameters, const ModelContext& context)
    : parameters_(parameters),
      parts_(EmaFillParameters::kId, context, fine_tuning_options(parameters), parameters.auxiliary_weight),
      refiner_(refiner_of(context)) {
  register_module("backbone", context.backbone);
  register_module("head", parts_.head());
  register_module("losses", parts_.losses());
  if (parameters_.weigh_filled && !parts_.any_loss_needs("pixel_weights")) {
    throw UserError("ema_fill.weigh_filled", "Filled pixels are to be weighed, and no loss of the study reads weights.",
                    "`cross_entropy` among the losses; or weigh_filled = false");
  }
}

void EmaFill::on_train_mode(bool /*on*/) { parts_.backbone().keep_frozen_part_evaluating(); }

at::Tensor EmaFill::predict(const at::Tensor& images_nchw, RunContext& run) {
  return parts_.logits(images_nchw, &run).contiguous();
}

// What decides: the teacher's probabilities of the labels that it may give, through the refiner.
at::Tensor EmaFill::refined_probabilities(const ViewBatch& batch, const at::Tensor& probabilities_nkhw,
                                          RunContext* run) const {
  const bool restricted = parameters_.teacher_labels == "present";
  at::Tensor refined_nkhw = at::zeros_like(probabilities_nkhw);
  for (std::int64_t i = 0; i < probabilities_nkhw.size(0); ++i) {
    const at::Tensor present_c = restricted ? batch.present_nc[i] : at::ones_like(batch.present_nc[i]);
    Probabilities image;
    image.names = labels_of(present_c);
    const at::Tensor names = at::tensor(image.names, at::kLong).to(probabilities_nkhw.device());
    const at::Tensor planes_phw = probabilities_nkhw[i].index_select(0, names);
    image.planes_phw = planes_phw / planes_phw.sum(0, /*keepdim=*/true);
    if (refiner_) image.image_hwc = batch.images_raw_nhwc[i];
    image.image_id = batch.image_ids[static_cast<std::size_t>(i)];
    refined_nkhw[i].index_copy_(0, names, refined(image, refiner_.get(), run));
  }
  return refined_nkhw;
}

Labels EmaFill::filled(const StepRequest& request) const {
  const ViewBatch& batch = request.main();
  const bool waits = request.step < parameters_.fill_from_step;
  if (waits || !batch.target_nhw.eq(kUndecidedLabel).any().item<bool>()) return {batch.target_nhw, {}};
  require_batch(batch, refiner_ != nullptr);
  const c10::NoGradGuard no_grad;
  const at::Tensor logits_nkhw = teacher_of(request).predict(batch.images_nchw, *request.run);
  const at::Tensor probabilities_nkhw =
      kernels::resize_maps(logits_nkhw, batch.target_nhw.size(1), batch.target_nhw.size(2), /*align_corners=*/false)
          .softmax(1);
  Labels labels = filled_labels(batch.target_nhw, probabilities_nkhw,
                                refined_probabilities(batch, probabilities_nkhw, request.run), batch.present_nc);
  if (!parameters_.weigh_filled) labels.weights_nhw.reset();
  return labels;
}

LossTerms EmaFill::training_step(const StepRequest& request) {
  teacher_of(request);
  const Labels labels = filled(request);
  return parts_.terms(request, parts_.pass(request.main().images_nchw, request.run), labels);
}

}  // namespace seedbed::label_correction
