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
  double minimum = 0;
  double maximum = 0;
  std::optional<double> fallback;  ///< unset: must be given
  bool whole = false;
  std::vector<std::string_view> words = {};  ///< the argument is one of these, its value the place among them
  bool repeated = false;                     ///< the last argument: one or more of it
};

struct StepForm {
  AugmentationKind kind;
  std::string_view name;
  std::vector<Argument> arguments;
};

constexpr double kLargestSide = 16384;

Argument word(std::string_view name, std::vector<std::string_view> words, std::optional<double> fallback = 0) {
  return {name, 0, static_cast<double>(words.size() - 1), fallback, true, std::move(words)};
}
Argument filter(std::optional<double> fallback = 0) {
  return word("FILTER", {"bicubic", "bilinear", "bilinear_cv"}, fallback);
}
Argument rounding(std::optional<double> fallback = 0) { return word("ROUND", {"even", "down"}, fallback); }
Argument probability(double fallback) { return {"P", 0, 1, fallback}; }
Argument side(std::string_view name = "SIDE") { return {name, 1, kLargestSide, {}, true}; }
Argument factor(std::string_view name) { return {name, 0.01, 100, {}}; }

std::vector<StepForm> make_step_forms() {
  using enum AugmentationKind;
  Argument factors = factor("S");
  factors.repeated = true;
  const auto amount = [](std::string_view name, double maximum) { return Argument{name, 0, maximum, {}}; };
  return {
      {flip, "flip", {probability(0.5)}},
      {random_scale, "random_scale", {factor("LOW"), factor("HIGH"), filter(), rounding()}},
      {scale_of, "scale_of", {filter({}), rounding({}), factors}},
      {resize_long, "resize_long", {side("LOW"), side("HIGH"), filter()}},
      {resize_short, "resize_short", {side(), filter()}},
      {resize, "resize", {side("HEIGHT"), side("WIDTH"), filter()}},
      {random_resized_crop,
       "random_resized_crop",
       {side(), {"LOW", 0.0001, 1, 0.08}, {"HIGH", 0.0001, 1, 1}, filter()}},
      {crop, "crop", {side(), word("PLACE", {"random", "top_left"})}},
      {center_crop, "center_crop", {side()}},
      {color_jitter,
       "color_jitter",
       {amount("B", 10), amount("C", 10), amount("S", 10), amount("H", 0.5), probability(1)}},
      {greyscale, "greyscale", {probability(1)}},
      {blur, "blur", {amount("LOW", 100), amount("HIGH", 100), probability(1)}},
      {solarise, "solarise", {probability(1), {"T", 0, 256, 128, true}}},
  };
}

const std::vector<StepForm>& step_forms() {
  static const std::vector<StepForm> forms = make_step_forms();
  return forms;
}

std::string form_text(const StepForm& form) {
  std::string text(form.name);
  for (const Argument& argument : form.arguments) {
    const std::string part = ":" + std::string(argument.name) + (argument.repeated ? "..." : "");
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

std::string words_text(const Argument& argument) { return quoted_list({argument.words.begin(), argument.words.end()}); }

std::string accepted_text(const Argument& argument) {
  if (!argument.words.empty()) return std::string(argument.name) + " is one of " + words_text(argument) + ".";
  return std::string(argument.name) + " is " + (argument.whole ? "a whole number" : "a number") + " from " +
         number_text(argument.minimum) + " to " + number_text(argument.maximum) + ".";
}

std::optional<double> word_from(std::string_view text, const Argument& argument) {
  const auto found = std::ranges::find(argument.words, text);
  if (found == argument.words.end()) return std::nullopt;
  return static_cast<double>(found - argument.words.begin());
}

double argument_from(std::string_view text, const Argument& argument, std::string_view step) {
  const std::optional<double> value = argument.words.empty() ? number_from(text) : word_from(text, argument);
  const bool fits = value && *value >= argument.minimum && *value <= argument.maximum;
  if (fits && (!argument.whole || *value == std::floor(*value))) return *value;
  throw UserError("", "A part of an augmentation step is not legal: `" + std::string(step) + "`.",
                  accepted_text(argument));
}

// The argument that number `i` of a step's text stands for.
const Argument& argument_at(const StepForm& form, std::size_t i) {
  return form.arguments[std::min(i, form.arguments.size() - 1)];
}

AugmentationStep step_from(std::string_view text) {
  const std::vector<std::string_view> parts = split_at_colons(text);
  const auto& forms = step_forms();
  const auto form = std::ranges::find(forms, parts.front(), &StepForm::name);
  if (form == forms.end())
    throw UserError("", "There is no such augmentation step: `" + std::string(text) + "`.",
                    did_you_mean(parts.front(), names_of(forms)) + "Steps: " + quoted_list(names_of(forms), 20) + ".");
  const std::span given(parts.begin() + 1, parts.end());
  const auto needed = std::ranges::count_if(form->arguments, [](const Argument& a) { return !a.fallback; });
  const bool too_many = given.size() > form->arguments.size() && !form->arguments.back().repeated;
  if (too_many || given.size() < static_cast<std::size_t>(needed))
    throw UserError("", "An augmentation step has too few or too many parts: `" + std::string(text) + "`.",
                    "Write `" + form_text(*form) + "`.");
  AugmentationStep step{form->kind, {}};
  for (std::size_t i = 0; i < std::max(given.size(), form->arguments.size()); ++i) {
    const Argument& argument = argument_at(*form, i);
    step.values.push_back(i < given.size() ? argument_from(given[i], argument, text) : *argument.fallback);
  }
  return step;
}

// LOW and HIGH stand in this order wherever a step has both.
void check_order(const AugmentationStep& step, std::string_view text) {
  const auto& arguments = std::ranges::find(step_forms(), step.kind, &StepForm::kind)->arguments;
  const auto low = std::ranges::find(arguments, "LOW", &Argument::name);
  if (low == arguments.end()) return;
  const auto place = static_cast<std::size_t>(low - arguments.begin());
  if (step.values[place] <= step.values[place + 1]) return;
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
    const StepForm& form = *std::ranges::find(step_forms(), step.kind, &StepForm::kind);
    std::string text(form.name);
    for (std::size_t i = 0; i < step.values.size(); ++i) {
      const Argument& argument = argument_at(form, i);
      const double value = step.values[i];
      text += ":" + (argument.words.empty() ? number_text(value)
                                            : std::string(argument.words[static_cast<std::size_t>(value)]));
    }
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
