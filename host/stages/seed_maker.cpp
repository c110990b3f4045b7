#include "stages/seed_maker.hpp"

#include <utility>

#include <ATen/ATen.h>

#include "fit/precision.hpp"
#include "fit/random_streams.hpp"
#include "seedbed/checks.hpp"
#include "seedbed/error.hpp"
#include "stages/generator_call.hpp"

namespace seedbed::stages {
namespace {

// A class counts as predicted above this probability; the most probable one always does.
constexpr double kPredictedProbability = 0.5;

ImageLabels image_labels_from(const std::string& name) {
  if (name == "given") return ImageLabels::given;
  if (name == "predicted") return ImageLabels::predicted;
  if (name == "none") return ImageLabels::none;
  throw ContractError("study", "`localise.labels` is a declared choice", "`given`, `predicted` or `none`",
                      "`" + name + "`");
}

std::vector<Instance> on_cpu(std::vector<Instance> instances) {
  for (Instance& instance : instances) instance.mask_hw = instance.mask_hw.to(at::kCPU);
  return instances;
}

void add_view(SeedMaker::Evidence& evidence, const SeedResult& result, std::int64_t i, const View& view) {
  evidence.resize(1 + result.added_nchw.size());
  evidence[0].push_back({result.maps.scores_nphw[i], view});
  for (std::size_t k = 0; k < result.added_nchw.size(); ++k) evidence[k + 1].push_back({result.added_nchw[k][i], view});
}

}  // namespace

SeedMaker::SeedMaker(const StageContext& context, GeneratorModel& model, const nlohmann::ordered_json& settings,
                     const std::string& role, const std::string& purpose, std::string operation,
                     const std::set<dataset::Content>& contents)
    : context_(context),
      model_(model),
      operation_(std::move(operation)),
      pyramid_(pyramid_settings_from(settings)),
      fusion_(fusion_plan_from(settings.at("fusion").get<std::vector<std::string>>())),
      labels_(image_labels_from(settings.value("labels", "given"))),
      side_wanted_(settings.value("side", std::vector<std::string>{})) {
  fit::check_precision(pyramid_.precision, context_.services.device(), "localise.precision");
  const MethodManifest& manifest = *model_.generator.manifest;
  std::set<dataset::Content> opened = declared_contents(manifest, labels_ == ImageLabels::given);
  if (labels_ == ImageLabels::given) opened.insert(dataset::Content::image_labels);
  opened.insert(contents.begin(), contents.end());
  images_ = open_images_of(context_, role, who(), purpose, opened, manifest.supervision.side_inputs);
  if (Backbone* backbone = model_.generator->backbone()) {
    normalisation_ = backbone->normalisation();
    size_multiple_px_ = backbone->size_multiple_px();
  }
}

SeedResult SeedMaker::generate(const at::Tensor& image_hwc, const std::string& image_id, std::size_t scale,
                               const at::Tensor& present_c, NetworkInput& input) {
  input = network_input(image_hwc, image_id, pyramid_.scales[scale], pyramid_, normalisation_, size_multiple_px_);
  const auto n = static_cast<std::int64_t>(input.views.size());
  SeedRequest request;
  request.images_nchw = input.images_nchw.to(context_.services.device());
  request.images_raw_nhwc = input.images_raw_nhwc;
  if (present_c.defined()) request.present_nc = present_c.unsqueeze(0).expand({n, -1});
  request.views = input.views;
  for (const std::string& name : model_.generator.manifest->supervision.side_inputs) {
    request.side_inputs[name] = side_input(images_->dataset().side_kind(name), images_->side(name, image_id), input);
  }
  if (scale == 0) request.side_artefacts_wanted = side_wanted_;
  request.logits_wanted = true;
  request.run = model_.generator.run;

  // Views of one scale are one call, so the scale's place stands for them in the stream's name.
  const fit::RandomScope random(
      model_.generator.run->generator(),
      fit::derive_seed(context_.random_seed(), operation_ + "/" + image_id + "/" + std::to_string(scale)));
  SeedResult result = ask_generator(model_, request, pyramid_.precision, context_.classes().num_classes(), first_call_);
  first_call_ = false;
  return result;
}

at::Tensor SeedMaker::present_of(const at::Tensor& image_hwc, const std::string& image_id) {
  if (labels_ == ImageLabels::given) return images_->present_c(image_id);
  if (labels_ == ImageLabels::none) return {};
  NetworkInput input;
  const at::Tensor logits = generate(image_hwc, image_id, 0, {}, input).logits_nc;
  if (!logits.defined()) {
    throw UserError("localise.labels", "The method `" + who() + "` gives no image-level scores to predict labels from.",
                    "`given` or `none`");
  }
  const at::Tensor scores = logits.mean(0).to(at::kCPU);
  return at::logical_or(scores.sigmoid().gt(kPredictedProbability), scores.eq(scores.max()));
}

ScoreMaps SeedMaker::fused(const Evidence& evidence, const ScoreMaps& raw, const at::Tensor& present_c) const {
  const View& view = evidence.front().front().view;
  std::vector<at::Tensor> parts;
  for (const auto& views : evidence) parts.push_back(kernels::fuse_views(views, fusion_, present_c));
  ScoreMaps maps;
  maps.scores_nphw = kernels::join_fused(parts, fusion_).to(at::kCPU).unsqueeze(0);
  maps.planes = raw.planes;
  maps.value = ValueKind::evidence;
  maps.covered = {{0, 0, static_cast<double>(view.image_height_px), static_cast<double>(view.image_width_px)}};
  check_fused_maps(maps, present_c.defined() ? present_c.unsqueeze(0) : present_c, who());
  if (!present_c.defined() || maps.planes.empty()) return maps;
  const at::Tensor kept = present_c.to(at::kCPU).nonzero().flatten();
  maps.scores_nphw = maps.scores_nphw.index_select(1, kept);
  maps.planes.clear();
  for (std::int64_t i = 0; i < kept.numel(); ++i) maps.planes.push_back(kept[i].item<std::int64_t>() + 1);
  return maps;
}

ImageProduct SeedMaker::make(const std::string& image_id) {
  const at::Tensor image = images_->image(image_id);
  const at::Tensor present = present_of(image, image_id);
  if (present.defined() && !present.any().item<bool>()) ++images_without_class_;
  ImageProduct product;
  product.height_px = image.size(0);
  product.width_px = image.size(1);
  Evidence evidence;
  std::vector<at::Tensor> logits;
  ScoreMaps raw;
  for (std::size_t scale = 0; scale < pyramid_.scales.size(); ++scale) {
    NetworkInput input;
    SeedResult result = generate(image, image_id, scale, present, input);
    for (std::size_t i = 0; i < input.views.size(); ++i) {
      add_view(evidence, result, static_cast<std::int64_t>(i), input.views[i]);
    }
    if (result.logits_nc.defined()) logits.push_back(result.logits_nc);
    // Side artefacts and instances are those of the first view: the image unmirrored, at the first scale.
    for (const auto& [name, tensor] : result.side_artefacts) product.side[name] = tensor.slice(0, 0, 1);
    if (scale == 0 && !result.instances.empty()) product.instances = on_cpu(std::move(result.instances.front()));
    raw = std::move(result.maps);
  }
  product.maps = fused(evidence, raw, present);
  if (!logits.empty()) product.logits_c = at::cat(logits).mean(0).to(at::kCPU);
  return product;
}

}  // namespace seedbed::stages
