#include "stages/member.hpp"
#include "stages/rule.hpp"

namespace seedbed::stages {
namespace {

/// Makes labels of maps by a rule.
class LabelMember : public Member {
 public:
  explicit LabelMember(const StageContext& context)
      : rule_(rule_from(context.spec.settings, context.chosen_value())),
        images_(open_images(context, who(), "infer", {}, side_of(rule_))) {}

  std::string who() const override { return "label"; }

  ImageProduct process(const std::string& image_id, const InputProducts& inputs) override {
    const ImageProduct& input = maps_input(inputs, "maps");
    const at::Tensor saliency = rule_.needs_saliency() ? images_->side(rule_.saliency.side, image_id) : at::Tensor();
    ImageProduct product;
    product.height_px = input.height_px;
    product.width_px = input.width_px;
    product.labels = labels_by(rule_, *input.maps, input.height_px, input.width_px, saliency);
    return product;
  }

  void finish(protocol::StageResult& result) override {
    if (rule_.kind == RuleKind::threshold || rule_.kind == RuleKind::power) result.facts["rule_value"] = rule_.value;
    result.ledger = images_->ledger();
  }

 private:
  Rule rule_;
  std::shared_ptr<images::LabelledImages> images_;
};

}  // namespace

std::unique_ptr<Member> make_label(const StageContext& context) { return std::make_unique<LabelMember>(context); }

}  // namespace seedbed::stages
