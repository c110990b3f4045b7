#include "evaluation/evaluate.hpp"

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "evaluation/in_order.hpp"
#include "evaluation/label_file.hpp"
#include "evaluation/result_folder.hpp"
#include "evaluation/score_file.hpp"
#include "metrics/label_scorer.hpp"
#include "metrics/map_scorer.hpp"
#include "seedbed/error.hpp"

namespace seedbed::evaluation {
namespace {

using Json = nlohmann::ordered_json;
using metrics::NamedValue;
using protocol::MetricOf;

std::vector<std::string> ids_in_list(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream) throw UserError(file.string(), "The list of images cannot be read.", "one image id a line");
  std::vector<std::string> ids;
  for (std::string line; std::getline(stream, line);) {
    line.erase(std::min(line.find_first_of(" \t\r"), line.size()));  // lists of VOC may hold a flag behind the id
    if (!line.empty()) ids.push_back(line);
  }
  std::vector<std::string> sorted = ids;
  std::ranges::sort(sorted);
  if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end())
    throw UserError(file.string(), "The list of images holds one twice: `" + *twice + "`.", "each image once");
  if (ids.empty()) throw UserError(file.string(), "The list of images is empty.", "one image id a line");
  return ids;
}

std::vector<std::string> ids_of(const ResultFolder& truth) {
  std::vector<std::string> ids;
  for (const auto& [id, place] : truth) ids.push_back(id);
  return ids;
}

void require_all(const std::vector<std::string>& ids, const ResultFolder& results, const std::filesystem::path& folder,
                 const char* what) {
  constexpr std::size_t kShown = 5;
  std::size_t missing = 0;
  std::string names;
  for (const std::string& id : ids) {
    if (results.contains(id)) continue;
    if (++missing <= kShown) names += (names.empty() ? "`" : ", `") + id + "`";
  }
  if (missing == 0) return;
  throw UserError(folder.string(),
                  std::to_string(missing) + " of " + std::to_string(ids.size()) + " images have no " + what + ": " +
                      names + (missing > kShown ? " ..." : "") + ".",
                  "`--images LIST` scores the images of a list only.");
}

void require_one_size(const at::Tensor& truth_hw, const at::Tensor& labels_hw, const std::string& where) {
  if (truth_hw.sizes() == labels_hw.sizes()) return;
  const auto size = [](const at::Tensor& map) {
    return std::to_string(map.size(0)) + " x " + std::to_string(map.size(1));
  };
  throw UserError(
      where, "A prediction has another size than its mask: `" + size(labels_hw) + "` for `" + size(truth_hw) + "`.",
      "Predictions are scored at the masks' size; no label is resized here.");
}

/// One run: the folders, the images, and where numbers go.
class Evaluation {
 public:
  Evaluation(const Settings& settings, const Progress& progress)
      : settings_(settings),
        progress_(progress),
        of_scores_(!settings.scores.empty()),
        truth_(open_result_folder(settings.truth, Holds::labels)),
        results_(open_result_folder(of_scores_ ? settings.scores : settings.predictions,
                                    of_scores_ ? Holds::scores : Holds::labels)),
        ids_(settings.images.empty() ? ids_of(truth_) : ids_in_list(settings.images)) {
    require_all(ids_, truth_, settings.truth, "mask");
    require_all(ids_, results_, of_scores_ ? settings.scores : settings.predictions,
                of_scores_ ? "score maps" : "prediction");
  }

  Json run() {
    Json background;
    if (!of_scores_) {
      score_labels();
    } else {
      background = scores_of(ids_.front()).has_background();
      require_computable(background.get<bool>());
      background.get<bool>() ? score_argmax() : score_sweep();
    }
    Json answer{{"images", ids_.size()},
                {"labels", settings_.labels},
                {"not_scored", results_.size() - ids_.size()},
                {"background", background},
                {"metrics", std::move(metrics_)}};
    if (!curve_.is_null()) answer["curve"] = std::move(curve_);
    return answer;
  }

 private:
  at::Tensor truth_of(const std::string& id) const {
    const ResultPlace& place = truth_.find(id)->second;
    at::Tensor truth = read_labels(place, coding());
    require_labels(truth, settings_.num_labels(), VoidLabels::ignore, place.where());
    return truth;
  }

  images::MaskCoding coding() const {
    return settings_.voc_colours ? images::MaskCoding::voc_colours : images::MaskCoding::values;
  }

  Scores scores_of(const std::string& id) const {
    return read_scores(results_.find(id)->second, settings_.num_labels());
  }

  // At the mask's size, with or without a background as the first image has it.
  Scores fitted_scores(const std::string& id, const at::Tensor& truth_hw, bool background) const {
    const ResultPlace& place = results_.find(id)->second;
    Scores scores = scores_of(id);
    if (!scores.planes.empty() && scores.has_background() != background)
      throw UserError(place.where(), "Some images' score maps have a background plane, and some have none.", "");
    return at_size(std::move(scores), truth_hw.size(0), truth_hw.size(1), settings_.resize || place.may_be_resized,
                   place.where());
  }

  // Names the file in errors of rooms that do not know it.
  template <typename Action>
  auto naming(const std::string& id, Action action) const {
    try {
      return action();
    } catch (const UserError& error) {
      if (!error.where().empty() && error.where() != "score.void") throw;
      const bool is_void = error.where() == "score.void" || error.hint().find("score.void") != std::string::npos;
      throw UserError(results_.find(id)->second.where(), error.message(),
                      is_void ? "`--void background`, `error` or `exclude` says what it counts as." : error.hint());
    }
  }

  // `make` gives an image's own part, `join` adds it to the whole.
  template <typename Make, typename Join>
  void each(Make make, Join join) {
    std::int64_t done = 0;
    for_each_in_order(ids_.size(), settings_.threads, [&](std::size_t index) -> std::function<void()> {
      auto part = std::make_shared<decltype(make(ids_[index]))>(naming(ids_[index], [&] { return make(ids_[index]); }));
      return [&, part] {
        join(std::move(*part));
        progress_(++done, static_cast<std::int64_t>(ids_.size()));
      };
    });
  }

  void score_labels();
  void score_argmax();
  void score_sweep();
  void require_computable(bool background) const;
  void report(const std::vector<NamedValue>& values, const std::string& rule, const std::optional<double>& rule_value);
  void report_counts(const metrics::LabelCounts& total, std::vector<metrics::LabelCounts> images,
                     const std::string& rule, double value);

  const Settings& settings_;
  const Progress& progress_;
  bool of_scores_;
  ResultFolder truth_;
  ResultFolder results_;
  std::vector<std::string> ids_;
  Json metrics_ = Json::array();
  Json curve_;
};

void Evaluation::report(const std::vector<NamedValue>& values, const std::string& rule,
                        const std::optional<double>& rule_value) {
  for (const NamedValue& value : values)
    metrics_.push_back({{"name", value.name},
                        {"class", value.label ? settings_.labels.at(*value.label) : ""},
                        {"value", value.value},
                        {"rule", rule},
                        {"rule_value", rule_value ? Json(*rule_value) : Json()}});
}

void Evaluation::score_labels() {
  const metrics::LabelScorer none(settings_.metrics, settings_.num_labels(), settings_.predicted_void);
  metrics::LabelScorer total = none;
  each(
      [&](const std::string& id) {
        const ResultPlace& place = results_.find(id)->second;
        const at::Tensor truth = truth_of(id), labels = read_labels(place, coding());
        require_one_size(truth, labels, place.where());
        require_labels(labels, settings_.num_labels(), VoidLabels::ignore_and_undecided, place.where());
        metrics::LabelScorer part = none;
        part.add(truth, labels);
        return part;
      },
      [&](metrics::LabelScorer part) { total += part; });
  report(total.values(), "", std::nullopt);
}

void Evaluation::require_computable(bool background) const {
  for (const protocol::MetricName& name : settings_.metrics) {
    const MetricOf of = name.definition->of;
    if (background && of == MetricOf::maps)
      throw UserError("--metrics", "A metric is of maps without a background plane: `" + name.text + "`.",
                      "scores of the classes alone");
    if (!background && of == MetricOf::probabilities)
      throw UserError("--metrics", "A metric needs the probability of every label: `" + name.text + "`.",
                      "scores with a background plane in front");
    if (!background && of == MetricOf::outlines)
      throw UserError("--metrics",
                      "A metric is of label maps, and these maps' background is not decided: `" + name.text + "`.",
                      "`--predictions`, or scores with a background plane");
  }
}

struct ArgmaxPart {
  metrics::LabelScorer labels;
  metrics::ProbabilityScorer probabilities;
};

void Evaluation::score_argmax() {
  const ArgmaxPart none{{settings_.metrics, settings_.num_labels(), settings_.predicted_void},
                        metrics::ProbabilityScorer(settings_.metrics)};
  const bool calibrated = !protocol::names_of(settings_.metrics, MetricOf::probabilities).empty();
  ArgmaxPart total = none;
  each(
      [&](const std::string& id) {
        ArgmaxPart part = none;
        const at::Tensor truth = truth_of(id);
        const Scores scores = fitted_scores(id, truth, true);
        const at::Tensor planes = at::tensor(scores.planes, at::kLong).to(at::kByte);
        // A map of no plane has nothing but background.
        const at::Tensor labels = scores.planes.empty()
                                      ? at::zeros(truth.sizes(), at::kByte)
                                      : planes.index_select(0, scores.maps_phw.argmax(0).flatten()).view(truth.sizes());
        part.labels.add(truth, labels);
        if (calibrated && !scores.planes.empty()) part.probabilities.add(scores.maps_phw, scores.planes, truth);
        return part;
      },
      [&](ArgmaxPart part) {
        total.labels += part.labels;
        total.probabilities += part.probabilities;
      });
  report(total.labels.values(), "", std::nullopt);
  report(total.probabilities.values(), "", std::nullopt);
}

void Evaluation::report_counts(const metrics::LabelCounts& total, std::vector<metrics::LabelCounts> images,
                               const std::string& rule, double value) {
  const metrics::CountedImages counted{total, std::move(images), metrics::foreground_counts(total)};
  report(metrics::count_metrics(settings_.metrics, counted), rule, value);
}

struct SweepPart {
  metrics::ImageSweep all;
  std::optional<metrics::ImageSweep> own;
  metrics::MapScorer maps;
};

void Evaluation::score_sweep() {
  metrics::Sweep sweep(settings_.num_labels(), settings_.background, settings_.values);
  std::optional<metrics::Sweep> own;
  if (settings_.value) own.emplace(settings_.num_labels(), settings_.background, std::vector<double>{*settings_.value});
  const metrics::MapScorer none(settings_.metrics, settings_.num_labels());
  const bool localised = !protocol::names_of(settings_.metrics, MetricOf::maps).empty();
  metrics::MapScorer maps = none;
  std::vector<metrics::ImageSweep> images, own_images;
  each(
      [&](const std::string& id) {
        const at::Tensor truth = truth_of(id);
        const Scores scores = fitted_scores(id, truth, false);
        SweepPart part{sweep.count(scores.maps_phw, scores.planes, truth), std::nullopt, none};
        if (own) part.own = own->count(scores.maps_phw, scores.planes, truth);
        if (localised) part.maps.add({scores.maps_phw, scores.planes, truth, {}});
        return part;
      },
      [&](SweepPart part) {
        sweep.add(part.all);
        if (own) {
          own->add(*part.own);
          own_images.push_back(std::move(*part.own));
        }
        maps += part.maps;
        images.push_back(std::move(part.all));
      });
  const std::vector<double> curve = sweep.mean_iou_curve(metrics::MeanOver::unions);
  const std::size_t best = metrics::best_index(curve);
  const auto counts_at = [](const std::vector<metrics::ImageSweep>& all, std::size_t index) {
    std::vector<metrics::LabelCounts> counts;
    for (const metrics::ImageSweep& image : all) counts.push_back(image.counts(index));
    return counts;
  };
  if (own) report_counts(own->counts(0), counts_at(own_images, 0), "fixed", *settings_.value);
  report_counts(sweep.counts(best), counts_at(images, best), "oracle", sweep.values()[best]);
  report(maps.values(), "", std::nullopt);
  const bool power = settings_.background == metrics::SweptBackground::power;
  curve_ = {
      {"name", "miou_union"}, {"x", power ? "alpha" : "threshold"}, {"values", sweep.values()}, {"scores", curve}};
}

}  // namespace

nlohmann::ordered_json evaluate(const Settings& settings, const Progress& progress) {
  return Evaluation(settings, progress).run();
}

}  // namespace seedbed::evaluation
