#include "plugin/weights_loading.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "seedbed/error.hpp"

namespace seedbed::plugin {
namespace {

constexpr std::size_t kListedNames = 8;

// First words under which reference models keep the classifier or segmentation head that a backbone has no place for.
constexpr std::array<std::string_view, 6> kClassifierNames{"classifier",     "fc",  "head", "heads",
                                                           "aux_classifier", "aspp"};

bool is_classifier(std::string_view name) {
  const std::string_view first = name.substr(0, name.find('.'));
  return std::find(kClassifierNames.begin(), kClassifierNames.end(), first) != kClassifierNames.end();
}

// Files older than PyTorch 0.4.1 lack it, and nothing but a cumulative average reads it.
bool is_batch_counter(std::string_view name) { return name.ends_with("num_batches_tracked"); }

std::vector<std::string> without(const std::vector<std::string>& names, bool (*left_out)(std::string_view)) {
  std::vector<std::string> kept;
  for (const std::string& name : names) {
    if (!left_out(name)) kept.push_back(name);
  }
  return kept;
}

// Parameters that the file left as they were drawn.
void mark_what_is_new(Backbone& backbone, const StateReport& report) {
  std::set<std::string> untouched(report.missing.begin(), report.missing.end());
  for (const std::string& misshapen : report.misshapen) untouched.insert(misshapen.substr(0, misshapen.find(": ")));
  std::vector<std::string> names;
  for (const auto& [name, parameter] : backbone.named_parameters()) {
    if (untouched.contains(name)) names.push_back(name);
  }
  backbone.mark_new(names);
}

void append(std::string& text, std::string_view what, const std::vector<std::string>& names) {
  if (names.empty()) return;
  text += (text.empty() ? "" : "; ") + std::string(what) + ": ";
  for (std::size_t i = 0; i < std::min(names.size(), kListedNames); ++i)
    text += (i == 0 ? "`" : ", `") + names[i] + "`";
  if (names.size() > kListedNames) text += " and " + std::to_string(names.size() - kListedNames) + " more";
}

}  // namespace

NamedTensors backbone_part(const NamedTensors& tensors) {
  constexpr std::string_view kPrefix = "backbone.";
  NamedTensors part;
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(kPrefix)) part[name.substr(kPrefix.size())] = tensor;
  }
  return part.empty() ? tensors : part;
}

std::vector<std::string> load_backbone_weights(Backbone& backbone, const NamedTensors& tensors, bool strict,
                                               std::string_view where) {
  const StateReport report = backbone.load_weights(tensors);
  const std::vector<std::string> missing = without(report.missing, is_batch_counter);
  const std::vector<std::string> extra = without(report.extra, is_classifier);
  const bool nothing_fits = report.missing.size() + report.misshapen.size() >= backbone.state().size();
  const bool complete = missing.empty() && extra.empty() && report.misshapen.empty();
  if (nothing_fits || (strict && !complete)) {
    std::string differences;
    append(differences, "missing", missing);
    append(differences, "left over", extra);
    append(differences, "misshapen", report.misshapen);
    throw UserError(std::string(where), "The weights do not fit the backbone: " + differences + ".",
                    "the file of the same model and variant; `strict = false` takes what fits");
  }
  mark_what_is_new(backbone, report);
  std::vector<std::string> not_taken = report.extra;
  not_taken.insert(not_taken.end(), report.misshapen.begin(), report.misshapen.end());
  for (const std::string& name : missing) not_taken.push_back(name + ": not in the file");
  return not_taken;
}

}  // namespace seedbed::plugin
