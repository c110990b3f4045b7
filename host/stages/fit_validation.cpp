#include "stages/fit_validation.hpp"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>

#include "metrics/average_precision.hpp"
#include "metrics/confusion.hpp"
#include "seedbed/error.hpp"
#include "stages/predictor.hpp"
#include "stages/rule.hpp"
#include "stages/seed_maker.hpp"
#include "stages/sweep_settings.hpp"

namespace seedbed::stages {
namespace {

using dataset::Content;

const Json& table_of(const StageContext& context) { return context.spec.settings.at("validate"); }

const protocol::RoleImages& role_of(const StageContext& context) {
  const auto found = context.spec.other_images.find("validate");
  if (found != context.spec.other_images.end()) return found->second;
  throw ContractError("plan", "a fit that validates is given the images of the role", "`validate`", "none");
}

// A state that is chosen by a role's labels is told from one that is only watched.
std::string purpose_of(const StageContext& context) {
  return context.spec.settings.value("checkpoint", "last") == "best" ? "choose" : "validate";
}

class ClassificationValidation : public FitValidation {
 public:
  ClassificationValidation(const StageContext& context, GeneratorModel& fitted)
      : image_ids_(role_of(context).image_ids),
        seeds_(context, fitted, table_of(context), role_of(context).role, purpose_of(context),
               context.operation() + "/validate", {Content::image_labels}) {}

  double score() override {
    std::vector<at::Tensor> scores, labels;
    for (const std::string& id : image_ids_) {
      const at::Tensor logits_c = seeds_.make(id).logits_c;
      if (!logits_c.defined()) {
        throw UserError("train.validate.metric", "The seed generator gives no image-level scores.", "`miou_union`");
      }
      scores.push_back(logits_c);
      labels.push_back(seeds_.images().present_c(id).to(at::kByte));
    }
    return metrics::map_macro(at::stack(scores), at::stack(labels)).value_or(0);
  }

  std::shared_ptr<images::LabelledImages> images() const override { return seeds_.shared_images(); }

 private:
  std::vector<std::string> image_ids_;
  SeedMaker seeds_;
};

class SeedValidation : public FitValidation {
 public:
  SeedValidation(const StageContext& context, GeneratorModel& fitted)
      : context_(context),
        image_ids_(role_of(context).image_ids),
        seeds_(context, fitted, table_of(context), role_of(context).role, purpose_of(context),
               context.operation() + "/validate", {Content::mask}) {}

  double score() override {
    metrics::Sweep sweep = make_sweep(context_, "threshold", Json::object());
    for (const std::string& id : image_ids_) {
      sweep.add(count_image(sweep, seeds_.make(id), seeds_.images().mask(id)));
    }
    return std::ranges::max(sweep.mean_iou_curve(metrics::MeanOver::unions));
  }

  std::shared_ptr<images::LabelledImages> images() const override { return seeds_.shared_images(); }

 private:
  const StageContext& context_;
  std::vector<std::string> image_ids_;
  SeedMaker seeds_;
};

class PredictionValidation : public FitValidation {
 public:
  PredictionValidation(const StageContext& context, SegmenterModel& fitted)
      : num_labels_(context.classes().num_classes() + 1),
        image_ids_(role_of(context).image_ids),
        predictor_(context, fitted, table_of(context), role_of(context).role, purpose_of(context),
                   context.operation() + "/validate", {Content::mask}) {}

  double score() override {
    metrics::LabelCounts total(num_labels_);
    for (const std::string& id : image_ids_) {
      const ImageProduct product = predictor_.make(id);
      const at::Tensor labels = labels_by(Rule{}, *product.maps, product.height_px, product.width_px).labels_nhw[0];
      total += metrics::label_counts(metrics::count_confusion(predictor_.images().mask(id), labels, num_labels_,
                                                              metrics::PredictedVoid::background));
    }
    return metrics::mean_iou(total, metrics::MeanOver::unions).value_or(0);
  }

  std::shared_ptr<images::LabelledImages> images() const override { return predictor_.shared_images(); }

 private:
  std::int64_t num_labels_;
  std::vector<std::string> image_ids_;
  Predictor predictor_;
};

}  // namespace

bool validates(const StageContext& context) { return context.spec.settings.contains("validate"); }

std::unique_ptr<FitValidation> make_validation(const StageContext& context, GeneratorModel& fitted) {
  const std::string metric = table_of(context).at("metric").get<std::string>();
  if (metric == "map_macro") return std::make_unique<ClassificationValidation>(context, fitted);
  if (metric == "miou_union") return std::make_unique<SeedValidation>(context, fitted);
  throw ContractError("study", "`validate.metric` is a declared choice", "`map_macro` or `miou_union`",
                      "`" + metric + "`");
}

std::unique_ptr<FitValidation> make_validation(const StageContext& context, SegmenterModel& fitted) {
  return std::make_unique<PredictionValidation>(context, fitted);
}

}  // namespace seedbed::stages
