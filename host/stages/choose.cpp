#include "stages/artefact_file.hpp"
#include "stages/chosen_value.hpp"
#include "stages/score_report.hpp"
#include "stages/sweep_settings.hpp"

namespace seedbed::stages {
namespace {

/// Picks the background value that is best on the role's masks.
class ChooseMember : public Member {
 public:
  explicit ChooseMember(const StageContext& context)
      : context_(context),
        rule_(context.spec.settings.value("rule", "threshold")),
        mean_over_(metrics::mean_over_from(context.spec.settings.value("metric", "miou_union"))),
        sweep_(make_sweep(context, rule_, context.spec.settings)),
        images_(open_images(context, who(), "choose", {dataset::Content::mask})) {}

  std::string who() const override { return "choose threshold"; }

  ImageProduct process(const std::string& image_id, const InputProducts& inputs) override {
    sweep_.add(count_image(sweep_, maps_input(inputs, "maps"), images_->mask(image_id)));
    return {};
  }

  void finish(protocol::StageResult& result) override {
    ChosenValue chosen;
    chosen.metric = metrics::miou_name(mean_over_);
    chosen.curve_name = swept_name(rule_);
    chosen.x = sweep_.values();
    chosen.y = sweep_.mean_iou_curve(mean_over_);
    const std::size_t best = metrics::best_index(chosen.y);
    chosen.value = chosen.x[best];
    chosen.metric_value = chosen.y[best];
    const std::string target = context_.spec.node;
    result.metrics.push_back({chosen.metric, "", chosen.metric_value, "1", target, "chosen", chosen.value});
    result.curves.push_back({chosen.metric, chosen.curve_name, target, chosen.x, chosen.y});
    result.facts["value"] = chosen.value;
    const std::filesystem::path file = write_chosen_value(context_.folder(), chosen);
    result.artefacts = {artefact_file("value", context_.artefact_folder, file)};
    result.ledger = images_->ledger();
  }

 private:
  StageContext context_;
  std::string rule_;
  metrics::MeanOver mean_over_;
  metrics::Sweep sweep_;
  std::shared_ptr<images::LabelledImages> images_;
};

}  // namespace

std::unique_ptr<Member> make_choose(const StageContext& context) { return std::make_unique<ChooseMember>(context); }

}  // namespace seedbed::stages
