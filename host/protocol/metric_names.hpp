#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Every metric's name in the store, once. A name says the convention: two numbers that may differ have two names.
namespace seedbed::protocol {

/// What a metric is computed from, which decides the targets that can have it.
enum class MetricOf {
  counts,           ///< pixels by true and predicted label: label maps, and each value of a sweep
  outlines,         ///< label maps themselves
  maps,             ///< maps of classes without a background plane, and masks
  boxes,            ///< such maps, and the boxes of objects
  annotated_boxes,  ///< such maps, and boxes that people drew
  probabilities,    ///< maps with a background plane that hold probabilities
  causal,           ///< maps of classes without a background plane, and the classifier that they are seeds of
  image_labels,     ///< image-level scores: always recorded for the target `image_labels`
  instances         ///< objects: always recorded for the target `instances`
};

struct MetricDefinition {
  std::string_view form;  ///< the name; `*` stands for a number
  MetricOf of;
  bool by_class;             ///< recorded for each class too, under the same name
  std::string_view meaning;  ///< one line
  double least = 0;          ///< bounds of the number
  double most = 0;
  bool whole_number = false;
};

const std::vector<MetricDefinition>& metric_definitions();

/// The list as Markdown, a table for each kind: what host/metrics/README.md ends with.
std::string metric_reference();

/// A name that was looked up.
struct MetricName {
  std::string text;
  const MetricDefinition* definition = nullptr;
  double number = 0;  ///< what stands for `*`

  bool is(std::string_view form) const { return definition->form == form; }
};

/// Throws: UserError with the nearest name, with the bounds for a number outside them, and with the shortest way of
/// writing for a number written another way ("0.020"), since the name is what tables show.
MetricName metric_name_from(std::string_view text);

/// All of them, repeated ones once. Throws as metric_name_from().
std::vector<MetricName> metric_names_from(const std::vector<std::string>& texts);

/// Those that can be asked for, of one kind.
std::vector<MetricName> names_of(const std::vector<MetricName>& names, MetricOf of);

/// What kind of metric can be asked for: not `image_labels` and `instances`, which come with their targets.
bool can_be_named(MetricOf of);

}  // namespace seedbed::protocol
