#include "metrics/label_scorer.hpp"
#include "seedbed/error.hpp"
#include "stages/artefact_file.hpp"
#include "stages/member.hpp"
#include "stages/rule.hpp"
#include "stages/score_report.hpp"

namespace seedbed::stages {
namespace {

ScoredUnder scored_under(const StageContext& context) {
  const Json& settings = context.spec.settings;
  ScoredUnder under;
  under.target = settings.at("target").get<std::string>();
  const Rule rule = rule_from(settings.value("rule", Json{{"rule", "argmax"}}), context.chosen_value());
  under.rule = settings.value("oracle", false) ? "oracle" : rule.origin;
  if (rule.kind == RuleKind::threshold || rule.kind == RuleKind::power) under.rule_value = rule.value;
  return under;
}

/// Compares label maps with the role's masks.
class ScoreLabelsMember : public Member {
 public:
  explicit ScoreLabelsMember(const StageContext& context)
      : context_(context),
        under_(scored_under(context)),
        scorer_(recorded_metrics(context.spec.settings), context.classes().num_classes() + 1,
                metrics::predicted_void_from(context.spec.settings.value("void", "background"))),
        images_(open_images(context, who(), "score", {dataset::Content::mask})) {}

  std::string who() const override { return "score labels"; }

  ImageProduct process(const std::string& image_id, const InputProducts& inputs) override {
    const at::Tensor labels = labels_input(inputs, "labels").labels->labels_nhw[0];
    scorer_.add(images_->mask(image_id), labels);
    image_ids_.push_back(image_id);
    return {};
  }

  void finish(protocol::StageResult& result) override {
    add_values(scorer_.values(), under_, label_names(context_.classes()), result.metrics);
    const std::filesystem::path folder = context_.folder();
    const metrics::LabelCounts& total = scorer_.total();
    write_counts(folder, as_row(total.intersection), as_row(total.predicted), as_row(total.truth), {});
    write_per_image(folder, {image_ids_, scorer_.images()});
    result.artefacts = {artefact_file("counts", context_.artefact_folder, folder / "counts.safetensors"),
                        artefact_file("per_image", context_.artefact_folder, folder / "per_image.safetensors")};
    result.ledger = images_->ledger();
  }

 private:
  StageContext context_;
  ScoredUnder under_;
  metrics::LabelScorer scorer_;
  std::shared_ptr<images::LabelledImages> images_;
  std::vector<std::string> image_ids_;
};

}  // namespace

std::unique_ptr<Member> make_score_labels(const StageContext& context) {
  return std::make_unique<ScoreLabelsMember>(context);
}

}  // namespace seedbed::stages
