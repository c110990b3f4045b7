#include <filesystem>
#include <iostream>

#include <fmt/format.h>

#include "cli/verbs.hpp"
#include "report/kept_labels.hpp"
#include "run/ask.hpp"
#include "run/worker_process.hpp"

namespace seedbed::cli {
namespace {

struct ExportFlags {
  report::LabelChoice choice;
  std::filesystem::path to;
  std::string confidence = "none";
};

void export_labels(const Session& session, const ExportFlags& flags) {
  const auto store = store::Store::open(session.store, store::Access::read);
  const report::KeptLabels labels = report::only_kept_labels(*store, flags.choice);
  nlohmann::ordered_json answer = run::ask_worker(
      run::worker_program(), {{"ask", "labels_export"},
                              {"artefacts", std::filesystem::absolute(store->artefact_folder()).string()},
                              {"key", labels.key},
                              {"to", std::filesystem::absolute(flags.to).string()},
                              {"confidence", flags.confidence}});
  answer["key"] = labels.key;
  if (session.json) return print_json(answer);
  std::cout << fmt::format("{}: labels of {} images ({} of {})", flags.to.string(),
                           answer.at("images").get<std::int64_t>(), labels.node, labels.role);
  if (flags.confidence != "none")
    std::cout << fmt::format(", {} of confidence", answer.at("confidences").get<std::int64_t>());
  std::cout << '\n';
}

}  // namespace

void add_export(CLI::App& verb, const std::shared_ptr<Session>& session) {
  CLI::App* exported = verb.add_subcommand("export", "Write what stages left as ordinary files");
  exported->require_subcommand(1);
  exported->fallthrough();
  CLI::App* labels = exported->add_subcommand("labels", "Label maps as palette PNG files in VOC's colours");
  labels->fallthrough();
  const auto flags = std::make_shared<ExportFlags>();
  labels->add_option("--to", flags->to, "Folder for ID.png (and ID.confidence.png or .npy)")->required();
  labels->add_option("--study", flags->choice.study, "A study's name (default: the one run last)");
  labels->add_option("--node", flags->choice.node, "pseudo_labels, or a refiner that gives labels (default: any)");
  labels->add_option("--role", flags->choice.role, "Whose images (default: any)");
  labels->add_option("--stage", flags->choice.key,
                     "First digits of a stage's key, as `results cells --stages` shows it");
  labels->add_option("--confidence", flags->confidence, "none, png (16 bits, 65535 = 1) or npy (float32)")
      ->capture_default_str()
      ->check(CLI::IsMember({"none", "png", "npy"}));
  labels->callback([session, flags] { export_labels(*session, *flags); });
}

}  // namespace seedbed::cli
