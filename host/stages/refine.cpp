#include <utility>

#include <ATen/ATen.h>

#include "fit/random_streams.hpp"
#include "seedbed/checks.hpp"
#include "stages/member.hpp"
#include "stages/models.hpp"
#include "stages/network_input.hpp"
#include "stages/rule.hpp"

namespace seedbed::stages {
namespace {

/// Runs a refiner over the maps (or labels) of each image.
class RefineMember : public Member {
 public:
  explicit RefineMember(const StageContext& context) : context_(context), model_(build_refiner(context_)) {
    if (context_.has_input("checkpoint")) {
      Trainable& trainable = required_trainable(model_.refiner->trainable(), who());
      load_checkpoint(context_, trainable.trained_module(), who());
    }
    model_.refiner->train(false);
    const MethodManifest& manifest = *model_.refiner.manifest;
    const Json background = context_.spec.settings.value("background", Json(nullptr));
    if (!background.is_null()) background_ = rule_from(background, context_.chosen_value());
    std::set<std::string> side = background_ ? side_of(*background_) : std::set<std::string>();
    side.insert(manifest.supervision.side_inputs.begin(), manifest.supervision.side_inputs.end());
    images_ = open_images(context_, who(), "infer", declared_contents(manifest, true), std::move(side));
  }

  std::string who() const override { return context_.method("refiner").id; }
  ImageProduct process(const std::string& image_id, const InputProducts& inputs) override;
  void finish(protocol::StageResult& result) override;

 private:
  RefineRequest request_for(const std::string& image_id, const ImageProduct& input);
  ScoreMaps with_plane(const ScoreMaps& maps, const std::string& image_id, const ImageProduct& input);

  StageContext context_;
  RefinerModel model_;
  std::optional<Rule> background_;
  std::shared_ptr<images::LabelledImages> images_;
  bool first_call_ = true;
};

ScoreMaps RefineMember::with_plane(const ScoreMaps& maps, const std::string& image_id, const ImageProduct& input) {
  const at::Tensor saliency =
      background_->needs_saliency() ? images_->side(background_->saliency.side, image_id) : at::Tensor();
  return with_background(*background_, maps, input.height_px, input.width_px, saliency);
}

RefineRequest RefineMember::request_for(const std::string& image_id, const ImageProduct& input) {
  RefineRequest request;
  request.images_nhwc = images_->image(image_id).unsqueeze(0);
  if (model_.refiner.manifest->takes.form == "labels") {
    request.labels = *labels_input({{"maps", &input}}, "maps").labels;
  } else {
    const ScoreMaps& maps = *maps_input({{"maps", &input}}, "maps").maps;
    request.maps = background_ ? with_plane(maps, image_id, input) : maps;
  }
  if (images_->access().contents.contains(dataset::Content::image_labels)) {
    request.present_nc = images_->present_c(image_id).unsqueeze(0);
  }
  for (const std::string& name : model_.refiner.manifest->supervision.side_inputs) {
    request.side_inputs[name] = side_companion(images_->dataset().side_kind(name), images_->side(name, image_id));
  }
  request.side_artefacts = input.side;
  request.image_ids = {image_id};
  request.run = model_.refiner.run;
  return request;
}

ImageProduct RefineMember::process(const std::string& image_id, const InputProducts& inputs) {
  const ImageProduct& input = *inputs.at("maps");
  const RefineRequest request = request_for(image_id, input);
  ImageProduct product;
  product.height_px = input.height_px;
  product.width_px = input.width_px;
  product.logits_c = input.logits_c;
  const bool no_planes = request.maps.scores_nphw.defined() && request.maps.scores_nphw.size(1) == 0;
  if (no_planes) {  // an image without any class: nothing to refine
    product.maps = request.maps;
    return product;
  }
  const fit::RandomScope random(model_.refiner.run->generator(),
                                fit::derive_seed(context_.random_seed(), context_.operation() + "/" + image_id));
  const InputGuard guard(
      {{"images_nhwc", request.images_nhwc}, {"maps", request.maps.scores_nphw}, {"labels", request.labels.labels_nhw}},
      first_call_);
  RefineResult result = model_.refiner->refine(request);
  guard.verify(who());
  check_refine_result(result, request, *model_.refiner.manifest);
  first_call_ = false;
  if (result.labels.labels_nhw.defined()) {
    product.labels = std::move(result.labels);
  } else {
    product.maps = std::move(result.maps);
  }
  return product;
}

void RefineMember::finish(protocol::StageResult& result) {
  result.ledger = images_->ledger();
  for (protocol::LedgerEntry& entry : weights_ledger(context_, "infer")) result.ledger.push_back(std::move(entry));
}

}  // namespace

std::unique_ptr<Member> make_refine(const StageContext& context) { return std::make_unique<RefineMember>(context); }

}  // namespace seedbed::stages
