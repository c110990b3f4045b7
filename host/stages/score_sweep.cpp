#include "seedbed/error.hpp"
#include "stages/artefact_file.hpp"
#include "stages/rule.hpp"
#include "stages/score_report.hpp"
#include "stages/sweep_settings.hpp"

namespace seedbed::stages {
namespace {

/// Scores every background value in one pass; the best one is an oracle.
class ScoreSweepMember : public Member {
 public:
  explicit ScoreSweepMember(const StageContext& context)
      : context_(context),
        target_(context.spec.settings.at("target").get<std::string>()),
        rule_name_(rule_name(context.spec.settings.at("background"))),
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
      reported_.push_back(std::move(own));
    } else {
      reported_.push_back(std::move(counts));
    }
    image_ids_.push_back(image_id);
    return {};
  }

  void finish(protocol::StageResult& result) override {
    const std::vector<double> curve = sweep_.mean_iou_curve(metrics::MeanOver::unions);
    const std::size_t best = metrics::best_index(curve);
    const std::vector<std::string> names = label_names(context_.classes());
    add_iou_metrics(sweep_.counts(best), {target_, "oracle", sweep_.values()[best]}, names, result.metrics);
    if (own_) add_iou_metrics(own_->counts(0), {target_, own_rule_.origin, own_rule_.value}, names, result.metrics);
    result.curves.push_back({std::string(metrics::miou_name(metrics::MeanOver::unions)), swept_name(rule_name_),
                             target_, sweep_.values(), curve});
    write_files(own_ ? 0 : best, result);
    result.ledger = images_->ledger();
  }

 private:
  static std::string rule_name(const Json& background) {
    return background.is_object() ? background.at("rule").get<std::string>() : background.get<std::string>();
  }

  void write_files(std::size_t index, protocol::StageResult& result) const {
    PerImageCounts per_image;
    per_image.image_ids = image_ids_;
    for (const metrics::ImageSweep& image : reported_) per_image.counts.push_back(image.counts(index));
    const std::filesystem::path folder = context_.folder();
    write_counts(folder, sweep_.intersection_tk(), sweep_.predicted_tk(), sweep_.truth_tk(), sweep_.values());
    write_per_image(folder, per_image);
    result.artefacts = {artefact_file("counts", context_.artefact_folder, folder / "counts.safetensors"),
                        artefact_file("per_image", context_.artefact_folder, folder / "per_image.safetensors")};
  }

  StageContext context_;
  std::string target_;
  std::string rule_name_;
  metrics::Sweep sweep_;
  std::shared_ptr<images::LabelledImages> images_;
  Rule own_rule_;
  std::optional<metrics::Sweep> own_;
  std::vector<metrics::ImageSweep> reported_;  // of the own rule, or of the whole sweep until its best is known
  std::vector<std::string> image_ids_;
};

}  // namespace

std::unique_ptr<Member> make_score_sweep(const StageContext& context) {
  return std::make_unique<ScoreSweepMember>(context);
}

}  // namespace seedbed::stages
