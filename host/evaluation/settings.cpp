#include "evaluation/settings.hpp"

#include <algorithm>
#include <fstream>
#include <set>

#include "dataset/class_table.hpp"
#include "seedbed/error.hpp"

namespace seedbed::evaluation {
namespace {

using protocol::MetricOf;

const std::vector<std::string> kOfLabels{"miou_union",     "miou_truth", "miou_images", "pixel_accuracy", "mean_recall",
                                         "mean_precision", "fw_iou",     "iou",         "precision",      "recall"};
const std::vector<std::string> kOfScores{"miou_union", "pixel_accuracy", "mean_fp_over_tp", "mean_fn_over_tp",
                                         "iou",        "precision",      "recall"};

std::vector<std::string> lines_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream)
    throw UserError(file.string(), "The classes file cannot be read.",
                    "one name a line, the background first; a CSV file of a data set; or `voc`");
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> with_background(const dataset::ClassTable& classes) {
  std::vector<std::string> labels{"background"};
  labels.insert(labels.end(), classes.names.begin(), classes.names.end());
  return labels;
}

std::vector<std::string> labels_from(const std::string& classes) {
  if (classes == "voc") return with_background(dataset::voc_classes());
  if (classes.ends_with(".csv")) return with_background(dataset::read_classes(classes, "", ""));
  std::vector<std::string> labels = lines_of(classes);
  const std::set<std::string> distinct(labels.begin(), labels.end());
  if (labels.size() < 2 || labels.size() > 254 || distinct.size() != labels.size())
    throw UserError(classes, "The classes file holds no list of labels.",
                    "2 to 254 different names, one a line, the background first");
  return labels;
}

// What can be asked of label maps, and of maps whose background is not known yet.
void require_computable(const protocol::MetricName& name, bool of_scores) {
  const MetricOf of = name.definition->of;
  if (of == MetricOf::boxes || of == MetricOf::annotated_boxes)
    throw UserError("--metrics", "A metric needs the boxes of objects, which masks do not hold: `" + name.text + "`.",
                    "a study over a data set with `instances` scores it");
  if (of == MetricOf::causal)
    throw UserError("--metrics", "A metric asks the classifier, and files hold none: `" + name.text + "`.",
                    "a study whose seed generator is fitted scores it");
  if (!of_scores && (of == MetricOf::maps || of == MetricOf::probabilities))
    throw UserError("--metrics", "A metric is of score maps: `" + name.text + "`.",
                    "`--scores` instead of `--predictions`");
}

}  // namespace

Settings settings_from(const nlohmann::ordered_json& request) {
  Settings settings;
  settings.truth = request.at("labels").get<std::string>();
  settings.predictions = request.value("predictions", "");
  settings.scores = request.value("scores", "");
  if (settings.predictions.empty() == settings.scores.empty())
    throw UserError("", "Either predictions or scores are evaluated.", "one of `--predictions` and `--scores`");
  const bool of_scores = !settings.scores.empty();
  settings.images = request.value("images", "");
  settings.labels = labels_from(request.value("classes", "voc"));
  settings.predicted_void = metrics::predicted_void_from(request.value("void", "refuse"));
  std::vector<std::string> names = of_scores ? kOfScores : kOfLabels;
  for (const std::string& name : request.value("metrics", std::vector<std::string>())) names.push_back(name);
  settings.metrics = protocol::metric_names_from(names);
  for (const protocol::MetricName& name : settings.metrics) require_computable(name, of_scores);
  settings.voc_colours = request.value("voc_colours", false);
  settings.resize = request.value("resize", false);
  const std::string background = request.value("background", "threshold");
  if (background != "threshold" && background != "power")
    throw UserError("--background", "There is no such background: `" + background + "`.", "`threshold` or `power`");
  const bool power = background == "power";
  settings.background = power ? metrics::SweptBackground::power : metrics::SweptBackground::constant;
  settings.values =
      metrics::sweep_values(request.value("from", power ? 1.0 : 0.0), request.value("to", power ? 32.0 : 0.99),
                            request.value("step", power ? 1.0 : 0.01));
  if (request.contains("value") && !request.at("value").is_null()) settings.value = request.at("value").get<double>();
  settings.threads = std::max<std::size_t>(1, request.value("threads", std::size_t{1}));
  return settings;
}

}  // namespace seedbed::evaluation
