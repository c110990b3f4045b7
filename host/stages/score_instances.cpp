#include <cmath>

#include <ATen/ATen.h>

#include "metrics/confusion.hpp"
#include "metrics/instance_precision.hpp"
#include "seedbed/error.hpp"
#include "stages/member.hpp"

namespace seedbed::stages {
namespace {

// What PRM reports (Zhou et al., CVPR 2018, table 2).
const std::vector<double> kOverlaps{0.25, 0.5, 0.75};

/// Compares the objects that a generator found with the role's objects.
class ScoreInstancesMember : public Member {
 public:
  explicit ScoreInstancesMember(const StageContext& context)
      : context_(context),
        precision_(context.classes().num_classes(), context.spec.settings.value("ious", kOverlaps)),
        images_(open_images(context, who(), "score", {dataset::Content::mask, dataset::Content::instances})) {}

  std::string who() const override { return "score instances"; }

  ImageProduct process(const std::string& image_id, const InputProducts& inputs) override {
    const ImageProduct& maps = maps_input(inputs, "maps");
    if (!maps.instances) {
      throw UserError("score.targets", "The seed generator finds no objects.", "leave out the target `instances`");
    }
    precision_.add(*maps.instances, images_->instances(image_id), images_->mask(image_id));
    return {};
  }

  void finish(protocol::StageResult& result) override {
    if (precision_.num_objects() == 0) {
      throw UserError("dataset.instances",
                      "No image of the role `" + context_.spec.role + "` has an object of a class.",
                      "a role whose images have objects, or no target `instances`");
    }
    const std::vector<double>& overlaps = precision_.iou_thresholds();
    for (std::size_t i = 0; i < overlaps.size(); ++i) {
      const std::string per_cent = std::to_string(std::lround(100 * overlaps[i]));
      add("instance_map_" + per_cent, "instance_ap_" + per_cent, precision_.average_precision(i), result);
    }
    add("instance_mabo", "instance_abo", precision_.best_overlap(), result);
    result.facts["objects"] = precision_.num_objects();
    result.facts["objects_found"] = precision_.num_found();
    result.ledger = images_->ledger();
  }

 private:
  // The mean over classes with objects, and each class.
  void add(const std::string& mean_name, const std::string& class_metric,
           const std::vector<std::optional<double>>& values, protocol::StageResult& result) const {
    const std::string target = context_.spec.settings.at("target").get<std::string>();
    const auto put = [&](const std::string& name, const std::string& class_name, const std::optional<double>& value) {
      if (value) result.metrics.push_back({name, class_name, *value, "1", target, "", std::nullopt});
    };
    put(mean_name, "", metrics::mean_defined(values));
    for (std::size_t c = 0; c < values.size(); ++c) put(class_metric, context_.classes().names.at(c), values[c]);
  }

  StageContext context_;
  metrics::InstancePrecision precision_;
  std::shared_ptr<images::LabelledImages> images_;
};

}  // namespace

std::unique_ptr<Member> make_score_instances(const StageContext& context) {
  return std::make_unique<ScoreInstancesMember>(context);
}

}  // namespace seedbed::stages
