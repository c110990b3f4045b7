#include "stages/fit_stage.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <ATen/ATen.h>

#include "fit/trainer.hpp"
#include "seedbed/error.hpp"
#include "stages/artefact_file.hpp"
#include "stages/fit_companions.hpp"
#include "stages/loader_settings.hpp"
#include "stages/member.hpp"
#include "stages/models.hpp"
#include "stages/product_artefact.hpp"
#include "stages/role_batches.hpp"
#include "stages/rule.hpp"
#include "weights/safetensors.hpp"

namespace seedbed::stages {
namespace {

using dataset::Content;

/// One method that is fitted, and what its images must bring.
struct Subject {
  std::string method;
  Trainable* student = nullptr;
  Trainable* teacher = nullptr;
  plugin::MethodRun* run = nullptr;
  Backbone* backbone = nullptr;   ///< its normalisation is the images'
  bool collects = false;
  std::set<Content> contents{Content::image};
  std::set<std::string> side;
  bool raw_images = false;
  std::vector<std::string> needs;  ///< of the manifest and of losses
  std::function<at::Tensor(const std::string&, images::LabelledImages&)> target;
  std::vector<std::string> unused_weights;
};

bool wants_teacher(const StageContext& context) { return context.spec.settings.value("ema_decay", 0.0) > 0; }

bool names(const std::vector<std::string>& needs, std::string_view need) {
  return std::find(needs.begin(), needs.end(), need) != needs.end();
}

void add_manifest_needs(Subject& subject, const MethodManifest& manifest) {
  subject.contents = declared_contents(manifest, true);
  subject.side = manifest.supervision.side_inputs;
  subject.needs = manifest.needs;
  subject.raw_images = names(manifest.needs, "images_raw");
  if (subject.contents.contains(Content::mask)) {
    subject.target = [](const std::string& id, images::LabelledImages& images) { return images.mask(id); };
  }
}

// Labels that an earlier stage left, whatever made them.
void take_labels_from(Subject& subject, const StageContext& context, const std::string& input) {
  const auto reader = std::make_shared<ProductReader>(context.artefact_folder, context.input_key(input));
  subject.target = [reader](const std::string& id, images::LabelledImages&) {
    const ImageProduct product = reader->read(id);
    if (product.labels) return product.labels->labels_nhw[0];
    throw ContractError("plan", "a fit's labels are labels", "a labels artefact", "maps");
  };
}

void take_labels_of_maps(Subject& subject, const StageContext& context, const Json& table) {
  const auto reader = std::make_shared<ProductReader>(context.artefact_folder, context.input_key("maps"));
  const Rule rule = rule_from(table, context.chosen_value());
  subject.target = [reader, rule](const std::string& id, images::LabelledImages&) {
    const ImageProduct product = reader->read(id);
    const ScoreMaps& maps = *maps_input({{"maps", &product}}, "maps").maps;
    return labels_by(rule, maps, product.height_px, product.width_px).labels_nhw[0];
  };
}

std::vector<std::string> image_ids_for(const Subject& subject, const StageContext& context,
                                       images::LabelledImages& images, protocol::StageResult& result) {
  if (!subject.contents.contains(Content::image_labels)) return context.spec.image_ids;
  std::vector<std::string> kept = images::images_with_class(images, context.spec.image_ids);
  result.facts["images_without_class"] = context.spec.image_ids.size() - kept.size();
  return kept;
}

images::LoaderOptions loader_options(const Subject& subject, const StageContext& context,
                                     const std::shared_ptr<images::LabelledImages>& images,
                                     protocol::StageResult& result) {
  images::LoaderOptions options = loader_options_from(context);
  options.image_ids = image_ids_for(subject, context, *images, result);
  if (subject.backbone != nullptr) options.normalisation = subject.backbone->normalisation();
  options.raw_images = subject.raw_images;
  options.image_labels = subject.contents.contains(Content::image_labels);
  options.side.assign(subject.side.begin(), subject.side.end());
  add_companions(context, subject.needs, options);
  if (subject.target) {
    options.target = [target = subject.target, images](const std::string& id) { return target(id, *images); };
  }
  return options;
}

void report(const fit::FitOutcome& outcome, protocol::StageResult& result) {
  for (const auto& [term, value] : outcome.last_losses) {
    result.metrics.push_back({"loss", term, value, "1", "training", "", std::nullopt});
  }
  for (const auto& [term, curve] : outcome.curves) {
    result.curves.push_back({"loss." + term, "step", "training", curve.steps, curve.values});
  }
  result.facts["steps"] = outcome.steps;
  result.facts["epochs"] = outcome.epochs;
  result.facts["parameters_trained"] = outcome.parameters_trained;
  result.facts["resumed_from_step"] = outcome.resumed_from_step;
  result.facts["seconds_per_step"] = outcome.seconds_per_step;
}

void write_checkpoint(const StageContext& context, const fit::FitOutcome& outcome, protocol::StageResult& result) {
  weights::OrderedTensors tensors(outcome.checkpoint.begin(), outcome.checkpoint.end());
  const std::filesystem::path file = context.folder() / "checkpoint.safetensors";
  std::filesystem::create_directories(context.folder());
  weights::write_safetensors(file, tensors);
  result.artefacts = {artefact_file("checkpoint", context.artefact_folder, file)};
}

void fit_subject(const Subject& subject, const StageContext& context, protocol::StageResult& result) {
  std::set<std::string> side = companion_side(context, subject.needs);
  side.insert(subject.side.begin(), subject.side.end());
  const auto images = open_images(context, subject.method, "train", subject.contents, std::move(side));
  RoleBatches batches(images, loader_options(subject, context, images, result), context.services.device());
  const std::filesystem::path resume_file = context.folder() / "resume.safetensors";
  const fit::FitJob job{*subject.student,
                        subject.teacher,
                        batches,
                        *subject.run,
                        fit::train_settings_from(context.spec.settings),
                        context.random_seed(),
                        context.operation(),
                        subject.method,
                        subject.collects,
                        resume_file};
  const fit::FitOutcome outcome = fit::fit(job);
  report(outcome, result);
  write_checkpoint(context, outcome, result);
  std::filesystem::remove(resume_file);
  if (!batches.broken_images().empty()) result.facts["images_broken"] = batches.broken_images();
  if (!subject.unused_weights.empty()) result.facts["weights_unused"] = subject.unused_weights;
  result.ledger = images->ledger();
  for (protocol::LedgerEntry& entry : weights_ledger(context, "train")) result.ledger.push_back(std::move(entry));
}

void fit_generator(const StageContext& context, protocol::StageResult& result) {
  const CropSize crop = crop_size_from(context.spec.settings);
  GeneratorModel model = build_generator(context, crop);
  Subject subject;
  subject.method = context.method("generator").id;
  subject.student = &required_trainable(model.generator->trainable(), subject.method);
  subject.run = model.generator.run;
  subject.backbone = model.generator->backbone();
  subject.collects = model.generator.has("collects");
  subject.unused_weights = model.builder.unused_weights();
  add_manifest_needs(subject, *model.generator.manifest);
  std::optional<GeneratorModel> teacher;
  if (wants_teacher(context)) {
    teacher.emplace(build_generator(context, crop));
    subject.teacher = teacher->generator->trainable();
  }
  fit_subject(subject, context, result);
}

void fit_refiner(const StageContext& context, protocol::StageResult& result) {
  const CropSize crop = crop_size_from(context.spec.settings);
  RefinerModel model = build_refiner(context, crop);
  Subject subject;
  subject.method = context.method("refiner").id;
  subject.student = &required_trainable(model.refiner->trainable(), subject.method);
  subject.run = model.refiner.run;
  subject.backbone = model.backbone.method.get();
  subject.collects = model.refiner.has("collects");
  subject.unused_weights = model.builder.unused_weights();
  add_manifest_needs(subject, *model.refiner.manifest);
  const Json labels = context.spec.settings.value("labels", Json());
  if (context.has_input("labels")) {
    take_labels_from(subject, context, "labels");
  } else if (labels.is_object() && labels.contains("rule")) {
    take_labels_of_maps(subject, context, labels);
  }
  std::optional<RefinerModel> teacher;
  if (wants_teacher(context)) {
    teacher.emplace(build_refiner(context, crop));
    subject.teacher = teacher->refiner->trainable();
  }
  fit_subject(subject, context, result);
}

void fit_segmenter(const StageContext& context, protocol::StageResult& result) {
  const CropSize crop = crop_size_from(context.spec.settings);
  SegmenterModel model = build_segmenter(context, crop);
  Subject subject;
  subject.method = context.method("strategy").id;
  subject.student = model.strategy.method.get();
  subject.run = model.strategy.run;
  subject.backbone = model.strategy.method->backbone();
  subject.collects = model.strategy.has("collects");
  subject.unused_weights = model.builder.unused_weights();
  subject.needs = model.strategy.manifest->needs;
  for (const plugin::Built<Loss>& loss : model.losses) {
    subject.needs.insert(subject.needs.end(), loss.manifest->needs.begin(), loss.manifest->needs.end());
    const std::vector<std::string> needs = loss.method->needs();
    if (names(needs, "present")) subject.contents.insert(Content::image_labels);
    if (names(needs, "images_raw")) subject.raw_images = true;
  }
  if (context.spec.settings.value("label_source", "pseudo_labels") == "masks") {
    subject.contents.insert(Content::mask);
    subject.target = [](const std::string& id, images::LabelledImages& images) { return images.mask(id); };
  } else {
    take_labels_from(subject, context, "labels");
  }
  std::optional<SegmenterModel> teacher;
  if (wants_teacher(context)) {
    teacher.emplace(build_segmenter(context, crop));
    subject.teacher = teacher->strategy.method.get();
  }
  fit_subject(subject, context, result);
}

}  // namespace

void run_fit(const StageContext& context, protocol::StageResult& result) {
  if (context.spec.operation == "seed_generator") return fit_generator(context, result);
  if (context.spec.operation == "refiner") return fit_refiner(context, result);
  if (context.spec.operation == "segmenter") return fit_segmenter(context, result);
  throw ContractError("plan", "a fit is of a known operation", "`seed_generator`, `refiner` or `segmenter`",
                      "`" + context.spec.operation + "`");
}

}  // namespace seedbed::stages
