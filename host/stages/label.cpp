#include "stages/member.hpp"
#include "stages/rule.hpp"

namespace seedbed::stages {
namespace {

/// Makes labels of maps by a rule.
class LabelMember : public Member {
 public:
  explicit LabelMember(const StageContext& context)
      : rule_(rule_from(context.spec.settings, context.chosen_value())) {}

  std::string who() const override { return "label"; }

  ImageProduct process(const std::string&, const InputProducts& inputs) override {
    const ImageProduct& input = maps_input(inputs, "maps");
    ImageProduct product;
    product.height_px = input.height_px;
    product.width_px = input.width_px;
    product.labels.emplace();
    product.labels->labels_nhw = labels_by(rule_, *input.maps, input.height_px, input.width_px).unsqueeze(0);
    return product;
  }

  void finish(protocol::StageResult& result) override {
    if (rule_.kind == RuleKind::threshold || rule_.kind == RuleKind::power) result.facts["rule_value"] = rule_.value;
  }

 private:
  Rule rule_;
};

}  // namespace

std::unique_ptr<Member> make_label(const StageContext& context) { return std::make_unique<LabelMember>(context); }

}  // namespace seedbed::stages
