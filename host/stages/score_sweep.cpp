#include <algorithm>

#include "seedbed/error.hpp"
#include "stages/artefact_file.hpp"
#include "stages/rule.hpp"
#include "stages/score_report.hpp"
#include "stages/sweep_settings.hpp"

namespace seedbed::stages {
namespace {

// Metrics of single images need every image's counts at a value that is known at the end only.
bool needs_images(const std::vector<protocol::MetricName>& names) {
  return std::ranges::any_of(names, [](const auto& name) { return name.is("miou_images") || name.is("miou_classes"); });
}

std::vector<metrics::LabelCounts> counts_at(const std::vector<metrics::ImageSweep>& images, std::size_t index) {
  std::vector<metrics::LabelCounts> counts;
  for (const metrics::ImageSweep& image : images) counts.push_back(image.counts(index));
  return counts;
}

/// Scores every background value in one pass; the best one is an oracle.
class ScoreSweepMember : public Member {
 public:
  explicit ScoreSweepMember(const StageContext& context)
      : context_(context),
        target_(context.spec.settings.at("target").get<std::string>()),
        rule_name_(rule_name(context.spec.settings.at("background"))),
        names_(recorded_metrics(context.spec.settings)),
        sweep_(make_sweep(context, rule_name_, context.spec.settings)),
        images_(open_images(context, who(), "score", {dataset::Content::mask})) {
    const Json& background = context.spec.settings.at("background");
    if (!background.is_object()) return;
    own_rule_ = rule_from(background, context.chosen_value());
    own_.emplace(context.classes().num_classes() + 1, swept_background_from(rule_name_),
                 std::vector<double>{own_rule_.value});
  }

  std::string who() const override { return "score sweep"; }

  ImageProduct process(const std::string& image_id, const InputProducts& inputs) override {
    const ImageProduct& maps = maps_input(inputs, "maps");
    const at::Tensor mask = images_->mask(image_id);
    metrics::ImageSweep counts = count_image(sweep_, maps, mask);
    sweep_.add(counts);
    if (own_) {
      metrics::ImageSweep own = count_image(*own_, maps, mask);
      own_->add(own);
      own_images_.push_back(std::move(own));
    }
    if (!own_ || needs_images(names_)) swept_images_.push_back(std::move(counts));
    image_ids_.push_back(image_id);
    return {};
  }

  void finish(protocol::StageResult& result) override {
    const std::vector<double> curve = sweep_.mean_iou_curve(metrics::MeanOver::unions);
    const std::size_t best = metrics::best_index(curve);
    add_metrics(sweep_.counts(best), counts_at(swept_images_, best), {target_, "oracle", sweep_.values()[best]},
                result);
    if (own_)
      add_metrics(own_->counts(0), counts_at(own_images_, 0), {target_, own_rule_.origin, own_rule_.value}, result);
    result.curves.push_back({std::string(metrics::miou_name(metrics::MeanOver::unions)), swept_name(rule_name_),
                             target_, sweep_.values(), curve});
    write_files(own_ ? counts_at(own_images_, 0) : counts_at(swept_images_, best), result);
    result.ledger = images_->ledger();
  }

 private:
  static std::string rule_name(const Json& background) {
    return background.is_object() ? background.at("rule").get<std::string>() : background.get<std::string>();
  }

  void add_metrics(const metrics::LabelCounts& total, std::vector<metrics::LabelCounts> images,
                   const ScoredUnder& under, protocol::StageResult& result) const {
    const metrics::CountedImages counted{total, std::move(images), metrics::foreground_counts(total)};
    add_values(metrics::count_metrics(names_, counted), under, label_names(context_.classes()), result.metrics);
  }

  void write_files(std::vector<metrics::LabelCounts> images, protocol::StageResult& result) const {
    const std::filesystem::path folder = context_.folder();
    write_counts(folder, sweep_.intersection_tk(), sweep_.predicted_tk(), sweep_.truth_tk(), sweep_.values());
    write_per_image(folder, {image_ids_, std::move(images)});
    result.artefacts = {artefact_file("counts", context_.artefact_folder, folder / "counts.safetensors"),
                        artefact_file("per_image", context_.artefact_folder, folder / "per_image.safetensors")};
  }

  StageContext context_;
  std::string target_;
  std::string rule_name_;
  std::vector<protocol::MetricName> names_;
  metrics::Sweep sweep_;
  std::shared_ptr<images::LabelledImages> images_;
  Rule own_rule_;
  std::optional<metrics::Sweep> own_;
  std::vector<metrics::ImageSweep> own_images_;
  std::vector<metrics::ImageSweep> swept_images_;  // of all values, until the best is known; empty where nobody asks
  std::vector<std::string> image_ids_;
};

}  // namespace

std::unique_ptr<Member> make_score_sweep(const StageContext& context) {
  return std::make_unique<ScoreSweepMember>(context);
}

}  // namespace seedbed::stages
