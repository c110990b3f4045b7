#include "seeded_segmenter.hpp"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/kernels/label_resize.hpp"
#include "seedbed/kernels/resize.hpp"
#include "seedbed/loss.hpp"
#include "seedbed/normed_convolution.hpp"
#include "seedbed/segmenter_requests.hpp"

namespace seedbed::seeded {
namespace {

// [N,1,h,w]: 1 at cells whose centre an augmentation left within the image.
at::Tensor region_on_grid(const ValidBoxes& valid, const at::Tensor& target_nhw, std::int64_t height,
                          std::int64_t width) {
  at::Tensor region = at::zeros(target_nhw.sizes(), target_nhw.options().dtype(at::kFloat));
  for (std::int64_t n = 0; n < region.size(0); ++n) {
    const at::Tensor box = valid.boxes_n4[n];
    const auto edge = [&](std::int64_t i) { return box[i].item<std::int64_t>(); };
    region[n].slice(0, edge(0), edge(2)).slice(1, edge(1), edge(3)).fill_(1);
  }
  return kernels::resize_labels(region, height, width, kernels::LabelSampling::centres).unsqueeze(1);
}

}  // namespace

SeededSegmenter::SeededSegmenter(SeededOptions options, const std::vector<std::string>& own_terms,
                                 const ModelContext& context)
    : options_(std::move(options)),
      backbone_(register_module("backbone", context.backbone), options_.fine_tuning),
      head_(register_module("head", context.head)),
      losses_(context.losses),
      ignore_index_(context.ignore_index) {
  const auto modules = register_module("losses", std::make_shared<NamedModules>());
  head_taps_ = all_taps_ = head_->wanted_taps();
  for (const WeightedLoss& weighted : losses_) {
    if (std::ranges::find(own_terms, weighted.name) != own_terms.end()) {
      throw UserError("segmenter.loss",
                      "a loss has the name of one of the strategy's own terms: `" + weighted.name + "`",
                      "another `name`; the own term's weight is `train.terms." + weighted.name + ".weight`");
    }
    modules->register_module(weighted.name, weighted.loss);
  }
  const std::vector<std::string> loss_taps = taps_of_losses(losses_);
  all_taps_.insert(all_taps_.end(), loss_taps.begin(), loss_taps.end());
  for (const std::string& tap : all_taps_) find_tap(backbone_.backbone(), tap);
}

void SeededSegmenter::on_train_mode(bool /*on*/) { backbone_.keep_frozen_part_evaluating(); }

bool SeededSegmenter::counts(const StepRequest& request, std::string_view term) {
  return !request.term_weight || request.term_weight(term) != 0.0;
}

at::Tensor SeededSegmenter::logits(const NamedTensors& taps, const at::Tensor& images_nchw, RunContext* run) {
  return head_->forward(head_request(taps, head_taps_, images_nchw, run)).logits_nkhw;
}

at::Tensor SeededSegmenter::predict(const at::Tensor& images_nchw, RunContext& run) {
  return logits(backbone_.taps(images_nchw, head_taps_, &run), images_nchw, &run).contiguous();
}

std::vector<ParameterGroup> SeededSegmenter::parameter_groups() {
  std::vector<const Module*> added{head_.get()};
  for (const WeightedLoss& weighted : losses_) added.push_back(weighted.loss.get());
  return backbone_.parameter_groups(added);
}

at::Tensor SeededSegmenter::cues(const ViewBatch& batch, const at::Tensor& logits_nkhw) const {
  const std::int64_t num_labels = logits_nkhw.size(1), height = logits_nkhw.size(2), width = logits_nkhw.size(3);
  if (!options_.seeds_from_maps) {
    return kernels::cues_from_labels(batch.target_nhw, num_labels, height, width);
  }
  at::Tensor maps = batch.companions.at("maps");
  // A background plane that the maps hold is what a rule made of the classes: the cues have a rule of their own.
  if (maps.size(1) == num_labels) maps = maps.slice(1, 1);
  const at::Tensor cues = kernels::cues_from_maps(kernels::resize_maps(maps, height, width, /*align_corners=*/false),
                                                  batch.present_nc, options_.cues);
  if (!batch.valid.boxes_n4.defined()) return cues;
  return cues * region_on_grid(batch.valid, batch.target_nhw, height, width);
}

void SeededSegmenter::add_losses_of_study(const NamedTensors& taps, const at::Tensor& logits_nkhw,
                                          const StepRequest& request, LossTerms& terms) {
  LossRequest asked = loss_request(request, ignore_index_);
  asked.logits = logits_nkhw;
  asked.taps = taps;
  for (const WeightedLoss& weighted : losses_) {
    if (!counts(request, weighted.name)) continue;
    terms.emplace_back(weighted.name, weighted.weight * weighted.loss->compute(asked));
  }
}

LossTerms SeededSegmenter::training_step(const StepRequest& request) {
  const ViewBatch& batch = request.main();
  const NamedTensors taps = backbone_.taps(batch.images_nchw, all_taps_, request.run);
  Seeded seeded;
  seeded.logits_nkhw = logits(taps, batch.images_nchw, request.run);
  seeded.probabilities_nkhw = kernels::with_floor(seeded.logits_nkhw.softmax(1), options_.floor);
  seeded.cues_nkhw = cues(batch, seeded.logits_nkhw);
  seeded.images_nhwc =
      kernels::image_on_grid(batch.images_raw_nhwc, seeded.logits_nkhw.size(2), seeded.logits_nkhw.size(3));
  seeded.present_nc = batch.present_nc;
  LossTerms terms = own_terms(seeded, request);
  add_losses_of_study(taps, seeded.logits_nkhw, request, terms);
  return terms;
}

}  // namespace seedbed::seeded
