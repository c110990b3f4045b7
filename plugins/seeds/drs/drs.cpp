#include "drs.hpp"

#include <algorithm>
#include <string>

#include <ATen/ATen.h>

#include "seedbed/classifier_generator.hpp"
#include "seedbed/error.hpp"
#include "seedbed/fine_tuning_parameters.hpp"
#include "site_choice.hpp"

namespace seedbed::drs {
namespace {

Site extra_site(std::size_t index, std::int64_t width) {
  return {.name = "extra_conv" + std::to_string(index + 1), .kind = "activation", .depth = 0, .channels = width};
}

}  // namespace

Drs::Drs(const DrsParameters& parameters, const ModelContext& context)
    : parameters_(parameters),
      backbone_(register_module("backbone", context.backbone), fine_tuning_options(parameters)) {
  const TapInfo tap = find_tap(backbone_.backbone(), parameters_.tap);
  if (tap.is_sequence) {
    throw UserError("tap", "the extra layers are convolutions, and this tap is a sequence: `" + tap.name + "`",
                    "a tap that is a map");
  }
  const at::Generator generator = context.run->generator();
  const SuppressionOptions options{.learnable = parameters_.controller == "learnable",
                                   .delta = parameters_.delta,
                                   .controller_deviation = parameters_.controller_deviation};
  const SiteChoice choice =
      choose_sites(backbone_.backbone(), parameters_.sites, parameters_.inner_activations, *context.run);
  if (options.learnable) require_live(choice.of_backbone, *context.run);
  layers_ =
      register_module("layers", std::make_shared<ExtraLayers>(ExtraLayerOptions{.in_channels = tap.channels,
                                                                                .layers = parameters_.extra_layers,
                                                                                .width = parameters_.extra_width,
                                                                                .num_classes = context.num_classes()},
                                                              generator));
  suppressed_ =
      register_module("controllers", std::make_shared<SuppressedSites>(options, choice.of_backbone, generator));
  std::vector<Site> extra;
  for (std::int64_t i = 0; choice.extra && i < parameters_.extra_layers; ++i) {
    extra.push_back(extra_site(static_cast<std::size_t>(i), parameters_.extra_width));
  }
  suppressed_extra_ =
      register_module("extra_controllers", std::make_shared<SuppressedSites>(options, extra, generator));
}

// A controller before the cut would keep its first values without a word.
void Drs::require_live(const std::vector<Site>& sites, RunContext& run) {
  const std::string& cut = parameters_.freeze_backbone;
  if (cut == "none" || sites.empty()) return;
  const std::vector<Site> frozen =
      backbone_.is_frozen() ? backbone_.backbone().sites() : sites_up_to(backbone_.backbone(), cut, run);
  for (const Site& site : sites) {
    if (std::ranges::find(frozen, site.name, &Site::name) == frozen.end()) continue;
    throw UserError("freeze_backbone",
                    "a learnable controller gets no gradient in the frozen part of the backbone: `" + site.name + "`",
                    "`sites` behind the cut, or controller = \"fixed\"");
  }
}

void Drs::on_train_mode(bool /*on*/) { backbone_.keep_frozen_part_evaluating(); }

std::vector<ParameterGroup> Drs::parameter_groups() {
  return backbone_.parameter_groups({layers_.get(), suppressed_.get(), suppressed_extra_.get()});
}

at::Tensor Drs::class_maps(const at::Tensor& images_nchw, RunContext* run) {
  const at::Tensor features =
      backbone_.taps(images_nchw, {parameters_.tap}, run, suppressed_.get()).at(parameters_.tap);
  return layers_->forward(features, [this](const at::Tensor& input, std::size_t index) {
    return suppressed_extra_->rewrite(extra_site(index, parameters_.extra_width), input,
                                      [](const at::Tensor& value) { return at::relu(value); });
  });
}

SeedResult Drs::generate(const SeedRequest& request) {
  const at::Tensor maps_nchw = class_maps(request.images_nchw, request.run);
  SeedResult result;
  result.maps.scores_nphw = maps_nchw.contiguous();
  result.maps.planes = foreground_planes(layers_->num_classes());
  for (const View& view : request.views) result.maps.covered.push_back(view.covered);
  if (request.logits_wanted) result.logits_nc = maps_nchw.mean({2, 3});
  return result;
}

LossTerms Drs::training_step(const StepRequest& request) {
  const ViewBatch& batch = request.main();
  const at::Tensor logits_nc = class_maps(batch.images_nchw, request.run).mean({2, 3});
  return {{"classification",
           at::binary_cross_entropy_with_logits(logits_nc, batch.present_nc.to(logits_nc.scalar_type()))}};
}

}  // namespace seedbed::drs
