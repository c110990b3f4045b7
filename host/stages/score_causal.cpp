#include <algorithm>
#include <optional>

#include <ATen/ATen.h>

#include "metrics/causal_scorer.hpp"
#include "seedbed/kernels/resize.hpp"
#include "stages/altered_inputs.hpp"
#include "stages/member.hpp"
#include "stages/models.hpp"
#include "stages/rule.hpp"
#include "stages/score_report.hpp"

namespace seedbed::stages {
namespace {

std::set<dataset::Content> contents_for(const GeneratorModel& model) {
  std::set<dataset::Content> contents = declared_contents(*model.generator.manifest, true);
  contents.insert(dataset::Content::image_labels);
  return contents;
}

/// Asks the classifier whose seeds the maps are whether what they mark is what it goes by: insertion and deletion.
class ScoreCausalMember : public Member {
 public:
  explicit ScoreCausalMember(const StageContext& context)
      : context_(context),
        model_(build_fitted_generator(context_)),
        images_(open_images(context, who(), "score", contents_for(model_),
                            model_.generator.manifest->supervision.side_inputs)),
        inputs_(context_, model_, *images_),
        scorer_(metric_names(context.spec.settings)) {}

  std::string who() const override { return context_.method("generator").id; }

  ImageProduct process(const std::string& image_id, const InputProducts& inputs) override {
    const ImageProduct& product = maps_input(inputs, "maps");
    const at::Tensor image_chw = inputs_.show(image_id);
    const at::Tensor maps_phw = planes_at_image(*product.maps, product.height_px, product.width_px).to(at::kCPU);
    const at::Tensor present_c = images_->present_c(image_id);
    for (std::int64_t c = 0; c < present_c.numel(); ++c) {
      if (!present_c[c].item<bool>()) continue;
      const auto plane = plane_of(*product.maps, c + 1);
      if (plane) {
        add_pair(image_chw, maps_phw[*plane], c);
      } else {
        ++pairs_without_map_;
      }
    }
    return {};
  }

  void finish(protocol::StageResult& result) override {
    const std::string target = context_.spec.settings.at("target").get<std::string>();
    const std::vector<std::string> labels = label_names(context_.classes());
    for (const metrics::NamedValue& value : scorer_.values())
      result.metrics.push_back({value.name, value.label ? labels.at(*value.label) : "", value.value,
                                unit_of(protocol::metric_name_from(value.name)), target, "", std::nullopt});
    for (const protocol::MetricName& name : scorer_.names()) add_curve(name, target, result);
    result.facts["pairs"] = pairs_;
    result.facts["pairs_without_map"] = pairs_without_map_;
    result.ledger = images_->ledger();
    for (protocol::LedgerEntry& entry : weights_ledger(context_, "score")) result.ledger.push_back(std::move(entry));
  }

 private:
  static std::string unit_of(const protocol::MetricName& name) { return metrics::is_of_logits(name) ? "logit" : "1"; }

  // One map without a name serves every class.
  static std::optional<std::int64_t> plane_of(const ScoreMaps& maps, std::int64_t label) {
    if (maps.planes.empty() && maps.scores_nphw.size(1) == 1) return 0;
    const auto found = std::ranges::find(maps.planes, label);
    return found == maps.planes.end() ? std::nullopt : std::optional<std::int64_t>(found - maps.planes.begin());
  }

  void add_pair(const at::Tensor& image_chw, const at::Tensor& map_hw, std::int64_t c) {
    const at::Tensor at_input =
        kernels::resize_maps(map_hw, image_chw.size(1), image_chw.size(2), /*align_corners=*/false);
    const auto ask = [&](const at::Tensor& images_nchw) { return inputs_.scores(images_nchw).select(1, c); };
    for (const metrics::CausalForm& form : scorer_.forms())
      scorer_.add(static_cast<std::size_t>(c + 1), form,
                  metrics::causal_curve(image_chw, at_input, form, inputs_.images_at_once(), ask));
    ++pairs_;
  }

  void add_curve(const protocol::MetricName& name, const std::string& target, protocol::StageResult& result) const {
    const std::vector<double> scores = scorer_.mean_curve(name);
    if (scores.empty()) return;
    protocol::Curve curve{name.text, "pixels", target, {}, scores};
    for (std::size_t k = 0; k < scores.size(); ++k)
      curve.x.push_back(static_cast<double>(k) / static_cast<double>(scores.size() - 1));
    result.curves.push_back(std::move(curve));
  }

  StageContext context_;
  GeneratorModel model_;
  std::shared_ptr<images::LabelledImages> images_;
  AlteredInputs inputs_;
  metrics::CausalScorer scorer_;
  std::int64_t pairs_ = 0;
  std::int64_t pairs_without_map_ = 0;
};

}  // namespace

std::unique_ptr<Member> make_score_causal(const StageContext& context) {
  return std::make_unique<ScoreCausalMember>(context);
}

}  // namespace seedbed::stages
