#include "dataset/augmentation_spec.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include "dataset/table_reader.hpp"
#include "seedbed/error.hpp"

namespace seedbed::dataset {
namespace {

struct Argument {
  std::string_view name;
  double minimum;
  double maximum;
  std::optional<double> fallback;  ///< unset: must be given
  bool whole = false;
};

struct StepForm {
  AugmentationKind kind;
  std::string_view name;
  std::vector<Argument> arguments;
};

constexpr double kLargestSide = 16384;

const std::vector<StepForm>& step_forms() {
  static const std::vector<StepForm> forms{
      {AugmentationKind::flip, "flip", {{"P", 0, 1, 0.5}}},
      {AugmentationKind::random_scale, "random_scale", {{"LOW", 0.01, 100, {}}, {"HIGH", 0.01, 100, {}}}},
      {AugmentationKind::resize_long,
       "resize_long",
       {{"LOW", 1, kLargestSide, {}, true}, {"HIGH", 1, kLargestSide, {}, true}}},
      {AugmentationKind::random_resized_crop,
       "random_resized_crop",
       {{"SIDE", 1, kLargestSide, {}, true}, {"LOW", 0.0001, 1, 0.08}, {"HIGH", 0.0001, 1, 1}}},
      {AugmentationKind::crop, "crop", {{"SIDE", 1, kLargestSide, {}, true}}},
      {AugmentationKind::color_jitter,
       "color_jitter",
       {{"B", 0, 10, {}}, {"C", 0, 10, {}}, {"S", 0, 10, {}}, {"H", 0, 0.5, {}}}},
  };
  return forms;
}

std::string form_text(const StepForm& form) {
  std::string text(form.name);
  for (const Argument& argument : form.arguments) {
    const std::string part = ":" + std::string(argument.name);
    text += argument.fallback ? "[" + part + "]" : part;
  }
  return text;
}

std::vector<std::string_view> split_at_colons(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t colon = text.find(':');
    parts.push_back(text.substr(0, colon));
    if (colon == std::string_view::npos) return parts;
    text.remove_prefix(colon + 1);
  }
}

template <typename Forms>
std::vector<std::string> names_of(const Forms& forms) {
  std::vector<std::string> names;
  names.reserve(std::size(forms));
  for (const auto& form : forms) names.emplace_back(form.name);
  return names;
}

std::string number_text(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, end.ptr};
}

// nullopt unless all of `text` is one finite number.
std::optional<double> number_from(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

double argument_from(std::string_view text, const Argument& argument, std::string_view step) {
  const std::optional<double> value = number_from(text);
  const bool fits = value && *value >= argument.minimum && *value <= argument.maximum;
  if (fits && (!argument.whole || *value == std::floor(*value))) return *value;
  throw UserError("", "A number of an augmentation step is not legal: `" + std::string(step) + "`.",
                  std::string(argument.name) + " is " + (argument.whole ? "a whole number" : "a number") + " from " +
                      number_text(argument.minimum) + " to " + number_text(argument.maximum) + ".");
}

AugmentationStep step_from(std::string_view text) {
  const std::vector<std::string_view> parts = split_at_colons(text);
  const auto& forms = step_forms();
  const auto form = std::ranges::find(forms, parts.front(), &StepForm::name);
  if (form == forms.end())
    throw UserError("", "There is no such augmentation step: `" + std::string(text) + "`.",
                    did_you_mean(parts.front(), names_of(forms)) + "Steps: " + quoted_list(names_of(forms)) + ".");
  const std::span given(parts.begin() + 1, parts.end());
  const auto needed = std::ranges::count_if(form->arguments, [](const Argument& a) { return !a.fallback; });
  if (given.size() > form->arguments.size() || given.size() < static_cast<std::size_t>(needed))
    throw UserError("", "An augmentation step has too few or too many numbers: `" + std::string(text) + "`.",
                    "Write `" + form_text(*form) + "`.");
  AugmentationStep step{form->kind, {}};
  for (std::size_t i = 0; i < form->arguments.size(); ++i) {
    const Argument& argument = form->arguments[i];
    step.values.push_back(i < given.size() ? argument_from(given[i], argument, text) : *argument.fallback);
  }
  return step;
}

// LOW and HIGH stand in this order wherever a step has both.
void check_order(const AugmentationStep& step, std::string_view text) {
  const bool from_zero = step.kind == AugmentationKind::random_scale || step.kind == AugmentationKind::resize_long;
  if (!from_zero && step.kind != AugmentationKind::random_resized_crop) return;
  const std::size_t low = from_zero ? 0 : 1;
  if (step.values[low] <= step.values[low + 1]) return;
  throw UserError("", "LOW is above HIGH in an augmentation step: `" + std::string(text) + "`.",
                  "Give the smaller number first.");
}

struct InputForm {
  InputRule rule;
  std::string_view name;
};
constexpr InputForm kInputForms[] = {{InputRule::native, "native"},
                                     {InputRule::long_side, "long_side"},
                                     {InputRule::square, "square"},
                                     {InputRule::ceil, "ceil"}};
constexpr std::string_view kInputHint = "Write `native`, `long_side:448`, `square:320` or `ceil:16`.";

std::int64_t rounded_side(double side) { return std::max<std::int64_t>(1, std::llrint(side)); }

std::int64_t ceil_to(double side, double multiple) {
  return static_cast<std::int64_t>(std::max(1.0, std::ceil(side / multiple)) * multiple);
}

}  // namespace

Augmentation augmentation_from(const std::vector<std::string>& texts) {
  Augmentation augmentation;
  std::vector<UserError> errors;
  for (const std::string& text : texts) {
    try {
      augmentation.push_back(step_from(text));
      check_order(augmentation.back(), text);
    } catch (const UserError& error) {
      errors.push_back(error);
    }
  }
  if (!errors.empty()) throw UserErrors(std::move(errors));
  return augmentation;
}

std::vector<std::string> to_strings(const Augmentation& augmentation) {
  std::vector<std::string> texts;
  for (const AugmentationStep& step : augmentation) {
    std::string text(std::ranges::find(step_forms(), step.kind, &StepForm::kind)->name);
    for (double value : step.values) text += ":" + number_text(value);
    texts.push_back(std::move(text));
  }
  return texts;
}

InputSize input_size_from(std::string_view text) {
  const std::vector<std::string_view> parts = split_at_colons(text);
  const auto form = std::ranges::find(kInputForms, parts.front(), &InputForm::name);
  if (form == std::end(kInputForms))
    throw UserError("", "There is no such input size: `" + std::string(text) + "`.",
                    did_you_mean(parts.front(), names_of(kInputForms)) + std::string(kInputHint));
  const std::optional<double> number = parts.size() == 2 ? number_from(parts[1]) : std::nullopt;
  const bool legal = form->rule == InputRule::native
                         ? parts.size() == 1
                         : number && *number >= 1 && *number <= kLargestSide && *number == std::floor(*number);
  if (!legal) throw UserError("", "An input size is malformed: `" + std::string(text) + "`.", std::string(kInputHint));
  return {form->rule, number ? static_cast<std::int64_t>(*number) : 0};
}

std::string to_string(const InputSize& size) {
  std::string text(std::ranges::find(kInputForms, size.rule, &InputForm::rule)->name);
  return size.rule == InputRule::native ? text : text + ":" + std::to_string(size.pixels);
}

Extent input_extent(const InputSize& size, Extent image, double scale) {
  const auto pixels = static_cast<double>(size.pixels);
  switch (size.rule) {
    case InputRule::square:
      return {rounded_side(pixels * scale), rounded_side(pixels * scale)};
    case InputRule::long_side:
      scale *= pixels / static_cast<double>(std::max(image.height_px, image.width_px));
      break;
    case InputRule::native:
    case InputRule::ceil:
      break;
  }
  const double height = static_cast<double>(image.height_px) * scale;
  const double width = static_cast<double>(image.width_px) * scale;
  if (size.rule != InputRule::ceil) return {rounded_side(height), rounded_side(width)};
  return {ceil_to(height, pixels), ceil_to(width, pixels)};
}

}  // namespace seedbed::dataset
