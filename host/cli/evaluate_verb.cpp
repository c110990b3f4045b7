#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>

#include "cli/text_table.hpp"
#include "cli/verbs.hpp"
#include "protocol/metric_names.hpp"
#include "run/ask.hpp"
#include "run/progress.hpp"
#include "run/worker_process.hpp"
#include "seedbed/error.hpp"

namespace seedbed::cli {
namespace {

using Json = nlohmann::ordered_json;

struct EvaluateFlags {
  std::string labels;
  std::string predictions;
  std::string scores;
  std::string images;
  std::string classes = "voc";
  std::string predicted_void = "refuse";
  std::vector<std::string> metrics;
  std::string background = "threshold";
  std::vector<double> sweep;  ///< from, to, step
  std::vector<double> value;  ///< one, or none
  bool voc_colours = false;
  bool resize = false;
};

std::string absolute(const std::string& path) { return path.empty() ? "" : std::filesystem::absolute(path).string(); }

Json request_of(const Session& session, const EvaluateFlags& flags) {
  Json request{{"ask", "evaluate"},
               {"labels", absolute(flags.labels)},
               {"predictions", absolute(flags.predictions)},
               {"scores", absolute(flags.scores)},
               {"images", absolute(flags.images)},
               {"classes", flags.classes == "voc" ? flags.classes : absolute(flags.classes)},
               {"void", flags.predicted_void},
               {"metrics", flags.metrics},
               {"voc_colours", flags.voc_colours},
               {"resize", flags.resize},
               {"background", flags.background},
               {"threads", session.threads > 0 ? session.threads : std::max(1U, std::thread::hardware_concurrency())}};
  if (!flags.sweep.empty()) {
    request["from"] = flags.sweep.at(0);
    request["to"] = flags.sweep.at(1);
    request["step"] = flags.sweep.at(2);
  }
  if (!flags.value.empty()) request["value"] = flags.value.front();
  return request;
}

// A rule's metrics: those of all images in order, and one column for each metric that classes have.
struct Section {
  std::vector<std::vector<std::string>> totals{{"metric", "value"}};
  std::vector<std::string> columns;
  std::map<std::string, std::map<std::string, double>> by_class;  ///< class, metric
};

std::string heading_of(const Json& metric, const std::string& swept) {
  const std::string rule = metric.at("rule");
  if (rule.empty()) return "";
  const double value = metric.at("rule_value");
  return rule == "oracle" ? fmt::format("{} {} (the best on these images: an upper bound)", swept, value)
                          : fmt::format("{} {}", swept, value);
}

void print_section(const Section& section, const Json& labels) {
  std::cout << '\n' << text_table(section.totals);
  if (section.columns.empty()) return;
  std::vector<std::vector<std::string>> rows{{"class"}};
  rows.front().insert(rows.front().end(), section.columns.begin(), section.columns.end());
  for (const Json& label : labels) {
    const auto found = section.by_class.find(label.get<std::string>());
    std::vector<std::string> row{label.get<std::string>()};
    for (const std::string& column : section.columns) {
      const bool has = found != section.by_class.end() && found->second.contains(column);
      row.push_back(has ? fmt::format("{:.4f}", found->second.at(column)) : "-");
    }
    rows.push_back(std::move(row));
  }
  std::cout << '\n' << text_table(rows);
}

void print_answer(const Json& answer, const std::string& swept) {
  std::cout << fmt::format("{} images, {} labels", answer.at("images").get<std::size_t>(), answer.at("labels").size());
  if (const auto left = answer.at("not_scored").get<std::size_t>(); left > 0)
    std::cout << fmt::format("; {} results of other images left aside", left);
  std::cout << '\n';
  std::vector<std::pair<std::string, Section>> sections;
  for (const Json& metric : answer.at("metrics")) {
    const std::string heading = heading_of(metric, swept);
    auto section = std::ranges::find(sections, heading, &std::pair<std::string, Section>::first);
    if (section == sections.end()) section = sections.insert(section, {heading, Section()});
    const std::string name = metric.at("name"), of = metric.at("class");
    const double value = metric.at("value");
    if (of.empty()) {
      section->second.totals.push_back({name, fmt::format("{:.4f}", value)});
      continue;
    }
    std::vector<std::string>& columns = section->second.columns;
    if (std::ranges::find(columns, name) == columns.end()) columns.push_back(name);
    section->second.by_class[of][name] = value;
  }
  for (const auto& [heading, section] : sections) {
    if (!heading.empty()) std::cout << '\n' << heading << '\n';
    print_section(section, answer.at("labels"));
  }
}

void evaluate(Session& session, const EvaluateFlags& flags) {
  protocol::metric_names_from(flags.metrics);  // a slip of the hand needs no worker
  Json answer;
  {
    run::ProgressDisplay display(std::cerr, ::isatty(STDERR_FILENO) == 1, session.quiet);
    answer =
        run::ask_worker(run::worker_program(), request_of(session, flags), [&](std::int64_t done, std::int64_t total) {
          run::RunState state;
          state.stages_done = static_cast<std::size_t>(done);
          state.stages_total = static_cast<std::size_t>(total);
          state.busy = {{0, "images scored"}};
          display.update(state);
        });
  }
  if (session.json) return print_json(answer);
  print_answer(answer, flags.background == "power" ? "alpha" : "threshold");
}

}  // namespace

void add_evaluate_verb(CLI::App& app, const std::shared_ptr<Session>& session) {
  CLI::App* verb =
      app.add_subcommand("evaluate", "Score label maps or score maps that any tool wrote, without a study");
  verb->fallthrough();
  const auto flags = std::make_shared<EvaluateFlags>();
  verb->add_option("--labels", flags->labels, "Folder of the true label maps (PNG, NPY or safetensors), 255 = void")
      ->required();
  CLI::Option* predictions =
      verb->add_option("--predictions", flags->predictions, "Folder of predicted label maps, of the masks' sizes");
  CLI::Option* scores = verb->add_option("--scores", flags->scores,
                                         "Folder of score maps instead: NPY or safetensors, [C,H,W] or [K,H,W], or "
                                         "dictionaries as IRN and PSA save them");
  predictions->excludes(scores);
  verb->add_option("--images", flags->images, "List of image ids, one a line (default: every true label map)");
  verb->add_option("--classes", flags->classes, "Names, one a line, the background first; or `voc`")
      ->capture_default_str();
  verb->add_option("--void", flags->predicted_void,
                   "What a predicted 254 or 255 counts as: background, error, exclude, or refuse")
      ->capture_default_str();
  verb->add_option("--metrics", flags->metrics, "Further metrics (host/metrics/README.md lists them)");
  verb->add_flag("--voc-colours", flags->voc_colours, "Read RGB label maps in VOC's colours");
  verb->add_flag("--resize", flags->resize, "Resize score maps to their masks (bilinear)");
  verb->add_option("--background", flags->background,
                   "Of score maps without one: `threshold` t, or `power` (1 - max)^alpha")
      ->capture_default_str();
  verb->add_option("--sweep", flags->sweep, "FROM TO STEP of the backgrounds tried (default 0 0.99 0.01; power 1 32 1)")
      ->expected(3);
  verb->add_option("--value", flags->value, "The background that is really used, scored as well")->expected(1);
  verb->callback([session, flags] { evaluate(*session, *flags); });
}

}  // namespace seedbed::cli
