#include "seedbed/fusion_plan.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "seedbed/error.hpp"

namespace seedbed {
namespace {

struct Operation {
  std::string name;
  std::vector<std::string> arguments;  // empty: takes none
};

const std::vector<Operation>& operations() {
  static const std::vector<Operation> all{
      {"relu", {}},
      {"sigmoid", {}},
      {"sqrt", {}},
      {"unflip", {}},
      {"merge_flip", {"sum", "max", "mean"}},
      {"resize", {"ceil16_crop", "image", "grid4", "largest"}},
      {"resize_corners", {"image", "largest"}},
      {"merge_scales", {"sum", "max", "mean"}},
      {"mask_present", {}},
      {"normalise", {"max", "minmax", "minmax_released", "max_sqrt", "shift_max"}},
      {"clamp01", {}},
  };
  return all;
}

const std::vector<std::string>& legal_steps() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> steps;
    for (const Operation& operation : operations()) {
      if (operation.arguments.empty()) steps.push_back(operation.name);
      for (const std::string& argument : operation.arguments) steps.push_back(operation.name + ":" + argument);
    }
    return steps;
  }();
  return all;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "`" : ", `") + name + "`";
  return text;
}

std::string hint_for(std::string_view wrong, const std::vector<std::string>& legal) {
  const std::string nearest = nearest_name(wrong, legal);
  return (nearest.empty() ? "" : "nearest: `" + nearest + "`; ") + "accepted: " + listed(legal);
}

FusionStep step_from(const std::string& text) {
  const auto colon = text.find(':');
  FusionStep step{text.substr(0, colon), colon == std::string::npos ? "" : text.substr(colon + 1)};
  const auto operation = std::ranges::find(operations(), step.operation, &Operation::name);
  if (operation != operations().end() && std::ranges::find(legal_steps(), text) == legal_steps().end()) {
    if (operation->arguments.empty()) {
      throw UserError("", "this fusion step takes no argument: `" + text + "`", "accepted: `" + step.operation + "`");
    }
    throw UserError("", "this fusion step needs another argument: `" + text + "`",
                    "accepted after `" + step.operation + ":`: " + listed(operation->arguments));
  }
  if (operation == operations().end())
    throw UserError("", "unknown fusion step `" + text + "`", hint_for(text, legal_steps()));
  return step;
}

struct NamedPlan {
  std::string name;
  std::vector<std::string> steps;
};

const std::vector<NamedPlan>& named_plans() {
  static const std::vector<NamedPlan> all{
      // jiwoon-ahn/irn, step/make_cam.py: the high-resolution product.
      {"irn",
       {"relu", "unflip", "merge_flip:sum", "resize:ceil16_crop", "merge_scales:sum", "mask_present", "normalise:max"}},
      // jiwoon-ahn/psa, infer_cls.py: straight to the image's size.
      {"psa",
       {"relu", "resize:image", "unflip", "merge_flip:sum", "merge_scales:sum", "mask_present", "normalise:max"}},
      // YudeWang/SEAM, infer_SEAM.py: clamped after the sum; `minmax` and not `minmax_released`, which leaves [0,1].
      {"seam",
       {"resize:image", "unflip", "merge_flip:sum", "merge_scales:sum", "relu", "mask_present", "normalise:minmax"}},
      // qjadud1994/DRS, models/vgg.py and scripts/localization_map_gen.py: each scale normalised, then their maximum.
      // The authors mirror nothing; where a study does, the two views join like the scales.
      {"drs",
       {"relu", "resize_corners:image", "normalise:max", "mask_present", "unflip", "merge_flip:max",
        "merge_scales:max"}},
      // rulixiang/ToCo, utils/camutils.py; its callers mask absent classes afterwards.
      {"toco",
       {"resize:image", "unflip", "merge_flip:max", "relu", "merge_scales:sum", "normalise:shift_max", "mask_present"}},
      {"plain",
       {"relu", "unflip", "merge_flip:mean", "resize:image", "merge_scales:mean", "mask_present", "normalise:max"}},
  };
  return all;
}

}  // namespace

FusionPlan fusion_plan_from(const std::vector<std::string>& steps) {
  FusionPlan plan;
  for (const std::string& step : steps) plan.steps.push_back(step_from(step));
  return plan;
}

FusionPlan named_fusion_plan(std::string_view name) {
  const auto found = std::ranges::find(named_plans(), name, &NamedPlan::name);
  if (found == named_plans().end()) {
    throw UserError("", "unknown fusion list `" + std::string(name) + "`", hint_for(name, fusion_plan_names()));
  }
  return fusion_plan_from(found->steps);
}

const std::vector<std::string>& fusion_plan_names() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> names;
    for (const NamedPlan& plan : named_plans()) names.push_back(plan.name);
    return names;
  }();
  return all;
}

std::vector<std::string> to_strings(const FusionPlan& plan) {
  std::vector<std::string> steps;
  for (const FusionStep& step : plan.steps) {
    steps.push_back(step.argument.empty() ? step.operation : step.operation + ":" + step.argument);
  }
  return steps;
}

}  // namespace seedbed
