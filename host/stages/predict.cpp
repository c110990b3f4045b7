#include "stages/member.hpp"
#include "stages/models.hpp"
#include "stages/predictor.hpp"

namespace seedbed::stages {
namespace {

SegmenterModel fitted_segmenter(const StageContext& context) {
  SegmenterModel model = build_segmenter(context);
  context.input_key("checkpoint");  // a prediction without one would be of random weights
  load_checkpoint(context, model.strategy.method->trained_module(), context.method("strategy").id);
  model.strategy.method->train(false);
  return model;
}

/// Predicts the labels' probabilities of each image.
class PredictMember : public Member {
 public:
  explicit PredictMember(const StageContext& context)
      : context_(context),
        model_(fitted_segmenter(context_)),
        predictor_(context_, model_, context_.spec.settings, context_.spec.role, "infer", context_.operation()) {}

  std::string who() const override { return predictor_.who(); }

  ImageProduct process(const std::string& image_id, const InputProducts&) override { return predictor_.make(image_id); }

  void finish(protocol::StageResult& result) override {
    result.ledger = predictor_.images().ledger();
    for (protocol::LedgerEntry& entry : weights_ledger(context_, "infer")) result.ledger.push_back(std::move(entry));
  }

 private:
  StageContext context_;
  SegmenterModel model_;
  Predictor predictor_;
};

}  // namespace

std::unique_ptr<Member> make_predict(const StageContext& context) { return std::make_unique<PredictMember>(context); }

}  // namespace seedbed::stages
