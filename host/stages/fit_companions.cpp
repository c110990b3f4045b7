#include "stages/fit_companions.hpp"

#include <memory>
#include <optional>
#include <utility>

#include "seedbed/error.hpp"
#include "stages/member.hpp"
#include "stages/product_artefact.hpp"
#include "stages/rule.hpp"

namespace seedbed::stages {
namespace {

using Reader = std::shared_ptr<const ProductReader>;

Reader reader_of(const StageContext& context, const std::string& input) {
  return std::make_shared<ProductReader>(context.artefact_folder, context.input_key(input));
}

void add_maps(const StageContext& context, const std::string& input, const std::string& name, const Json& background,
              images::LoaderOptions& options) {
  std::optional<Rule> rule;
  if (!background.is_null()) rule = rule_from(background, context.chosen_value());
  options.maps[name] = [reader = reader_of(context, input), input, rule](const std::string& id,
                                                                         const images::SideReader& side) {
    const ImageProduct product = reader->read(id);
    const ScoreMaps& maps = *maps_input({{input, &product}}, input).maps;
    if (!rule) return maps;
    const at::Tensor saliency = rule->needs_saliency() ? side(rule->saliency.side) : at::Tensor();
    return with_background(*rule, maps, product.height_px, product.width_px, saliency);
  };
}

void add_labels(const StageContext& context, const std::string& input, const std::string& name,
                images::LoaderOptions& options) {
  options.labels[name] = [reader = reader_of(context, input), input](const std::string& id) {
    const ImageProduct product = reader->read(id);
    return labels_input({{input, &product}}, input).labels->labels_nhw[0];
  };
}

// One plane without a class: confidences are resized as maps are.
void add_confidence(const StageContext& context, images::LoaderOptions& options) {
  options.maps["confidence"] = [reader = reader_of(context, "labels")](const std::string& id,
                                                                       const images::SideReader&) {
    const ImageProduct product = reader->read(id);
    const LabelMaps& labels = *labels_input({{"labels", &product}}, "labels").labels;
    if (!labels.confidence_nhw.defined()) {
      throw UserError("pseudo_label", "The labels come without a confidence, and the method needs one.",
                      "a rule or refiner that gives a confidence");
    }
    ScoreMaps maps;
    maps.scores_nphw = labels.confidence_nhw.unsqueeze(1);
    maps.covered = {{0, 0, static_cast<double>(product.height_px), static_cast<double>(product.width_px)}};
    return maps;
  };
}

Json background_of(const Json& settings, const std::string& companion) {
  const Json companions = settings.value("companions", Json::object());
  return companions.value(companion, Json::object()).value("background", Json());
}

// The rules whose planes companions get.
std::vector<Json> backgrounds_of(const Json& settings, const std::vector<std::string>& needs) {
  std::vector<Json> rules;
  for (const std::string& need : needs) {
    if (need == "maps") rules.push_back(settings.value("background", Json()));
    if (need.starts_with("maps:")) rules.push_back(background_of(settings, need.substr(need.find(':') + 1)));
  }
  std::erase_if(rules, [](const Json& rule) { return rule.is_null(); });
  return rules;
}

}  // namespace

std::set<std::string> companion_side(const StageContext& context, const std::vector<std::string>& needs) {
  std::set<std::string> side;
  for (const Json& rule : backgrounds_of(context.spec.settings, needs))
    side.merge(side_of(rule_from(rule, context.chosen_value())));
  return side;
}

void add_companions(const StageContext& context, const std::vector<std::string>& needs,
                    images::LoaderOptions& options) {
  const Json& settings = context.spec.settings;
  for (const std::string& need : needs) {
    const std::string word = need.substr(0, need.find(':'));
    const std::string name = need.size() > word.size() ? need.substr(word.size() + 1) : "";
    // A refiner's own maps are as it gets them at inference: it is trained on what it will see.
    if (need == "maps") add_maps(context, need, need, settings.value("background", Json()), options);
    if (need == "confidence") add_confidence(context, options);
    if (word == "maps" && !name.empty()) add_maps(context, need, name, background_of(settings, name), options);
    if (word == "labels" && !name.empty()) add_labels(context, need, name, options);
  }
}

}  // namespace seedbed::stages
