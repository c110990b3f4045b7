#include "stages/member.hpp"

#include "seedbed/error.hpp"

namespace seedbed::stages {
namespace {

using Maker = std::unique_ptr<Member> (*)(const StageContext&);

const std::map<std::string, Maker> kMakers{{"map.seeds", make_seeds},
                                           {"map.refine", make_refine},
                                           {"map.agree", make_agree},
                                           {"map.label", make_label},
                                           {"map.predict", make_predict},
                                           {"choose.threshold", make_choose},
                                           {"score.sweep", make_score_sweep},
                                           {"score.labels", make_score_labels},
                                           {"score.maps", make_score_maps},
                                           {"score.causal", make_score_causal},
                                           {"score.classification", make_score_classification},
                                           {"score.instances", make_score_instances}};

const ImageProduct& input(const InputProducts& inputs, std::string_view name) {
  const auto found = inputs.find(name);
  if (found != inputs.end()) return *found->second;
  throw ContractError("plan", "a stage has the inputs of its operation", "`" + std::string(name) + "`", "none");
}

}  // namespace

std::unique_ptr<Member> make_member(const StageContext& context) {
  const auto maker = kMakers.find(context.operation());
  if (maker != kMakers.end()) return maker->second(context);
  throw ContractError("plan", "a stage is of a known type and operation", "one of host/stages/README.md",
                      "`" + context.operation() + "`");
}

const ImageProduct& maps_input(const InputProducts& inputs, std::string_view name) {
  const ImageProduct& product = input(inputs, name);
  if (product.maps) return product;
  throw ContractError("plan", "an operation on maps reads maps", "maps as `" + std::string(name) + "`", "labels");
}

const ImageProduct& labels_input(const InputProducts& inputs, std::string_view name) {
  const ImageProduct& product = input(inputs, name);
  if (product.labels) return product;
  throw ContractError("plan", "an operation on labels reads labels", "labels as `" + std::string(name) + "`", "maps");
}

}  // namespace seedbed::stages
