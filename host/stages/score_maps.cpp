#include <cmath>
#include <map>

#include "metrics/map_scorer.hpp"
#include "seedbed/error.hpp"
#include "stages/member.hpp"
#include "stages/rule.hpp"
#include "stages/score_report.hpp"

namespace seedbed::stages {
namespace {

using protocol::MetricOf;

std::set<dataset::Content> contents_of(const metrics::MapScorer& maps) {
  std::set<dataset::Content> contents{dataset::Content::mask};
  if (maps.needs_objects()) contents.insert(dataset::Content::instances);
  if (maps.needs_annotated_boxes()) contents.insert(dataset::Content::boxes);
  return contents;
}

// The pixels whose middle lies in a box; boxes of crowds are of no object.
std::multimap<std::int64_t, metrics::Box> corner_pixels(const std::vector<dataset::Box>& boxes) {
  std::multimap<std::int64_t, metrics::Box> pixels;
  const auto first_from = [](double edge) { return static_cast<std::int64_t>(std::ceil(edge - 0.5)); };
  for (const dataset::Box& box : boxes) {
    if (box.crowd) continue;
    pixels.emplace(box.label, metrics::Box{first_from(box.left), first_from(box.top), first_from(box.right) - 1,
                                           first_from(box.bottom) - 1});
  }
  return pixels;
}

/// Compares maps with the role's masks and objects without making labels of them: where a class's map is largest, how
/// well it ranks pixels, what boxes it gives; of maps with a background, how sure they are.
class ScoreMapsMember : public Member {
 public:
  explicit ScoreMapsMember(const StageContext& context)
      : context_(context),
        names_(metric_names(context.spec.settings)),
        maps_(names_, context.classes().num_classes() + 1),
        probabilities_(names_),
        calibrated_(!protocol::names_of(names_, MetricOf::probabilities).empty()),
        images_(open_images(context, who(), "score", contents_of(maps_))) {}

  std::string who() const override { return "score maps"; }

  ImageProduct process(const std::string& image_id, const InputProducts& inputs) override {
    const ScoreMaps& maps = *maps_input(inputs, "maps").maps;
    const at::Tensor mask = images_->mask(image_id);
    const at::Tensor planes = planes_at_image(maps, mask.size(0), mask.size(1)).to(at::kCPU);
    if (maps.has_background() != calibrated_)
      throw ContractError("plan", "maps with a background are calibrated, others localised",
                          calibrated_ ? "a background plane" : "none", maps.has_background() ? "one" : "none");
    if (calibrated_) {
      require_probabilities(maps);
      probabilities_.add(planes, maps.planes, mask);
    } else {
      metrics::MapImage image{planes, maps.planes, mask};
      if (maps_.needs_objects()) image.instances_hw = images_->instances(image_id);
      if (maps_.needs_annotated_boxes()) image.annotated = corner_pixels(images_->boxes(image_id));
      maps_.add(image);
    }
    return {};
  }

  void finish(protocol::StageResult& result) override {
    const ScoredUnder under{context_.spec.settings.at("target").get<std::string>(), "", std::nullopt};
    const std::vector<std::string> labels = label_names(context_.classes());
    add_values(calibrated_ ? probabilities_.values() : maps_.values(), under, labels, result.metrics);
    result.ledger = images_->ledger();
  }

 private:
  static void require_probabilities(const ScoreMaps& maps) {
    if (maps.value == ValueKind::probability) return;
    throw UserError("score.metrics", "Calibration is of probabilities, and these maps are none.",
                    "leave the metric out, or score predictions or a refiner that gives probabilities");
  }

  StageContext context_;
  std::vector<protocol::MetricName> names_;
  metrics::MapScorer maps_;
  metrics::ProbabilityScorer probabilities_;
  bool calibrated_;
  std::shared_ptr<images::LabelledImages> images_;
};

}  // namespace

std::unique_ptr<Member> make_score_maps(const StageContext& context) {
  return std::make_unique<ScoreMapsMember>(context);
}

}  // namespace seedbed::stages
