#include "prm.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "peak_response_rule.hpp"
#include "seedbed/error.hpp"
#include "seedbed/fine_tuning_parameters.hpp"
#include "seedbed/kernels/fusion.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::prm {
namespace {

constexpr double kLeastTotal = 1e-12;  // a response of nothing stays nothing

PeakOptions peak_options(const PrmParameters& parameters) {
  return {parameters.peak_window, parameters.peak_filter, parameters.peak_filter_value};
}

MaskOptions mask_options(const PrmParameters& parameters) {
  return {.response_threshold = parameters.response_threshold,
          .smoothing_px = parameters.smoothing_px,
          .overlap = parameters.overlap,
          .num_proposals = parameters.proposals_at_most,
          .least_area = parameters.proposal_least_area,
          .largest_area = parameters.proposal_largest_area,
          .balance = parameters.balance,
          .penalty = parameters.penalty,
          .background_factor = parameters.background_factor,
          .byte_maps = parameters.background_map == "bytes"};
}

TapInfo map_tap(const Backbone& backbone, const std::string& name) {
  TapInfo tap = find_tap(backbone, name);
  if (!tap.is_sequence) return tap;
  throw UserError("prm", "PRM finds peaks of a map, and this tap is a sequence: `" + name + "`", "a tap with a map");
}

bool shows_whole_image(const View& view) {
  return view.covered.bottom == static_cast<double>(view.image_height_px) &&
         view.covered.right == static_cast<double>(view.image_width_px);
}

// Maps of a view [C,h,w] as they lie on the image: unmirrored, and at its size where asked for or where there is padding.
at::Tensor on_image(const at::Tensor& maps_chw, const View& view, bool at_image_size) {
  std::vector<std::string> steps{"unflip"};
  if (at_image_size || !shows_whole_image(view)) steps.emplace_back("resize:image");
  return kernels::fuse_views({{maps_chw, view}}, fusion_plan_from(steps), {});
}

}  // namespace

Prm::Prm(const PrmParameters& parameters, const ModelContext& context)
    : parameters_(parameters),
      peak_options_(peak_options(parameters)),
      mask_options_(mask_options(parameters)),
      backbone_(register_module("backbone", context.backbone), fine_tuning_options(parameters)) {
  for (const auto& [name, window] :
       {std::pair{"peak_window", parameters_.peak_window}, {"smoothing_px", parameters_.smoothing_px}}) {
    if (window % 2 == 0)
      throw UserError(name, "a window has a middle: `" + std::to_string(window) + "`", "1, 3, 5 ...");
  }
  const std::int64_t channels = map_tap(backbone_.backbone(), parameters_.tap).channels;
  classifier_ = register_module(
      "classifier",
      std::make_shared<Conv2d>(
          Conv2dOptions{.in_channels = channels, .out_channels = context.num_classes(), .bias = parameters_.bias},
          context.run->generator()));
  classifier_site_ = {"classifier", "convolution", 0, context.num_classes()};
  if (parameters_.instances != "proposals") return;
  if (parameters_.proposals.empty()) {
    throw UserError("proposals", "objects are to be chosen among proposals, and there are none",
                    "a file in `proposals`, or instances = \"response\"");
  }
  proposals_.emplace(context.run->weights("proposals"));
}

void Prm::on_train_mode(bool /*on*/) { backbone_.keep_frozen_part_evaluating(); }

at::Tensor Prm::upsampled(const at::Tensor& maps_nchw, std::int64_t factor) const {
  if (factor == 1) return maps_nchw;
  return kernels::resize_maps(maps_nchw, maps_nchw.size(2) * factor, maps_nchw.size(3) * factor,
                              /*align_corners=*/true);
}

LossTerms Prm::training_step(const StepRequest& request) {
  const ViewBatch& batch = request.main();
  const NamedTensors taps = backbone_.taps(batch.images_nchw, {parameters_.tap}, request.run);
  const at::Tensor maps = upsampled(classifier_->forward(taps.at(parameters_.tap)), parameters_.peak_upsample);
  const at::Tensor scores = stimulate(maps, peaks_of(maps, peak_options_), parameters_.peak_gradient == "exact");
  return {{"classification", at::binary_cross_entropy_with_logits(scores, batch.present_nc.to(scores.scalar_type()))}};
}

// What a forward pass gives, but with a graph that traces peaks back.
at::Tensor Prm::maps_for_tracing(const at::Tensor& images_nchw, RunContext& run) const {
  PeakResponseRule rule;
  ForwardRequest request;
  request.images_nchw = images_nchw;
  request.keep = {parameters_.tap};
  request.convolution = &rule;
  request.parameters = ParameterMode::detached;
  request.run = &run;
  const at::Tensor features = backbone_.backbone().forward(request).taps.at(parameters_.tap);
  return upsampled(
      rule.convolve(classifier_site_, features, classifier_->weight, classifier_->bias, classifier_->shape()),
      parameters_.traced_upsample);
}

// By image, then by falling value. Image labels, where there are any, name the classes; else their scores do.
std::vector<Prm::Peak> Prm::peaks_to_trace(const at::Tensor& maps_nchw, const at::Tensor& peaks_nchw,
                                           const at::Tensor& scores_nc, const at::Tensor& present_nc) const {
  const at::Tensor classes =
      present_nc.defined() ? present_nc.to(maps_nchw.device()) : scores_nc.ge(parameters_.class_threshold);
  const auto at_cells = [](const at::Tensor& values_nc) { return values_nc.unsqueeze(2).unsqueeze(3); };
  at::Tensor high;
  if (parameters_.peak_threshold_rule == "relative") {
    const at::Tensor highest = maps_nchw.amax({2, 3});
    high = maps_nchw.ge(at_cells(highest - (1 - parameters_.peak_threshold) * highest.abs()));
  } else {
    high = maps_nchw.gt(parameters_.peak_threshold);
  }
  const at::Tensor traced = peaks_nchw.logical_and(high).logical_and(at_cells(classes));
  const at::Tensor places = traced.nonzero().to(at::kCPU);
  const at::Tensor values = maps_nchw.masked_select(traced).to(at::kCPU);
  std::vector<Peak> peaks;
  for (std::int64_t i = 0; i < places.size(0); ++i) {
    const auto place = [&](std::int64_t k) { return places[i][k].item<std::int64_t>(); };
    peaks.push_back({place(0), place(1), place(2), place(3), values[i].item<double>(), {}});
  }
  std::ranges::stable_sort(peaks, [](const Peak& a, const Peak& b) {
    return std::tuple(a.image, -a.value) < std::tuple(b.image, -b.value);
  });
  if (parameters_.peaks_at_most > 0) {
    std::vector<std::int64_t> seen(static_cast<std::size_t>(maps_nchw.size(0)));
    std::erase_if(peaks, [&](const Peak& peak) {
      return ++seen[static_cast<std::size_t>(peak.image)] > parameters_.peaks_at_most;
    });
  }
  return peaks;
}

// One pass back for each peak of an image, or for as many as there are copies of it; all images at once.
void Prm::trace(std::vector<Peak>& peaks, const at::Tensor& images_nchw, const at::Tensor& maps_nchw,
                RunContext& run) const {
  const std::int64_t copies = parameters_.peaks_at_once;
  std::vector<std::vector<Peak*>> of_image(static_cast<std::size_t>(images_nchw.size(0) / copies));
  for (Peak& peak : peaks) of_image[static_cast<std::size_t>(peak.image)].push_back(&peak);
  const auto most =
      static_cast<std::int64_t>(std::ranges::max(of_image, {}, [](const auto& list) { return list.size(); }).size());
  for (std::int64_t first = 0; first < most; first += copies) {
    run.check_cancelled();
    at::Tensor starts = at::zeros_like(maps_nchw, at::MemoryFormat::Contiguous);
    std::vector<std::pair<Peak*, std::int64_t>> passing;
    for (std::size_t n = 0; n < of_image.size(); ++n) {
      for (std::int64_t k = first; k < std::min(first + copies, std::ssize(of_image[n])); ++k) {
        Peak* peak = of_image[n][static_cast<std::size_t>(k)];
        const std::int64_t row = static_cast<std::int64_t>(n) * copies + k - first;
        starts[row][peak->class_index][peak->row][peak->column] = 1;
        passing.emplace_back(peak, row);
      }
    }
    maps_nchw.backward(starts, /*retain_graph=*/true, /*create_graph=*/false, std::vector<at::Tensor>{images_nchw});
    const at::Tensor responses = responses_from(images_nchw.grad());
    for (const auto& [peak, row] : passing) peak->response_hw = responses[row];
    images_nchw.mutable_grad().reset();
  }
}

at::Tensor Prm::seeds_from(const std::vector<Peak>& peaks, const at::Tensor& images_nchw) const {
  at::Tensor seeds =
      at::zeros({images_nchw.size(0), classifier_->options.out_channels, images_nchw.size(2), images_nchw.size(3)},
                images_nchw.options());
  for (const Peak& peak : peaks) {
    const at::Tensor response = smoothed(peak.response_hw, parameters_.smoothing_px);
    at::Tensor seed = seeds[peak.image][peak.class_index];
    if (parameters_.merge == "sum") {
      seed.add_(response);
    } else {
      const double highest = response.max().item<double>();
      if (highest > 0) seed.copy_(at::maximum(seed, response / highest));
    }
  }
  return seeds;
}

std::vector<Instance> Prm::instances_of(const std::vector<Peak>& peaks, std::int64_t image, const View& view,
                                        const at::Tensor& maps_chw) const {
  std::vector<PeakResponse> responses;
  for (const Peak& peak : peaks) {
    if (peak.image != image) continue;
    const at::Tensor response = on_image(peak.response_hw.unsqueeze(0), view, true)[0];
    responses.push_back({peak.class_index + 1, peak.value, response / response.sum().clamp_min(kLeastTotal)});
  }
  if (!proposals_) return thresholded(std::move(responses), mask_options_);
  const at::Tensor proposals =
      proposals_->of(view.image_id, view.image_height_px, view.image_width_px, mask_options_.num_proposals)
          .to(maps_chw.device());
  return retrieved(std::move(responses), proposals, on_image(maps_chw, view, false), mask_options_);
}

SeedResult Prm::generate(const SeedRequest& request) {
  const c10::AutoGradMode gradients(true);
  const std::int64_t copies = parameters_.peaks_at_once, num_images = request.images_nchw.size(0);
  at::Tensor images = request.images_nchw.detach();
  if (copies > 1) images = images.repeat_interleave(copies, 0);
  images = images.detach().requires_grad_(true);
  const at::Tensor traced_maps = maps_for_tracing(images, *request.run);

  const at::Tensor maps = traced_maps.detach().slice(0, 0, num_images * copies, copies);
  const at::Tensor found = peaks_of(maps, peak_options_);
  const at::Tensor scores = stimulate(maps, found, true);
  std::vector<Peak> peaks = peaks_to_trace(maps, found, scores, request.present_nc);
  trace(peaks, images, traced_maps, *request.run);

  SeedResult result;
  result.maps.scores_nphw =
      parameters_.seed_map == "responses" ? seeds_from(peaks, request.images_nchw) : maps.contiguous();
  result.maps.planes.resize(static_cast<std::size_t>(maps.size(1)));
  std::iota(result.maps.planes.begin(), result.maps.planes.end(), 1);
  for (const View& view : request.views) result.maps.covered.push_back(view.covered);
  if (request.logits_wanted) result.logits_nc = scores;
  if (parameters_.instances == "none") return result;
  for (std::int64_t i = 0; i < num_images; ++i) {
    result.instances.push_back(instances_of(peaks, i, request.views.at(static_cast<std::size_t>(i)), maps[i]));
  }
  return result;
}

}  // namespace seedbed::prm
