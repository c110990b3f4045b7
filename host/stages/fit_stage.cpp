#include "stages/fit_stage.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <ATen/ATen.h>

#include "fit/trainer.hpp"
#include "seedbed/error.hpp"
#include "stages/artefact_file.hpp"
#include "stages/fit_companions.hpp"
#include "stages/fit_validation.hpp"
#include "stages/loader_settings.hpp"
#include "stages/models.hpp"
#include "stages/product_artefact.hpp"
#include "stages/role_batches.hpp"
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
  Backbone* backbone = nullptr;  ///< its normalisation is the images'
  bool collects = false;
  std::set<Content> contents{Content::image};
  std::set<std::string> side;
  bool raw_images = false;
  std::vector<std::string> needs;  ///< of the manifest and of losses
  bool learns_masks = false;
  std::function<at::Tensor(const std::string&)> target;  ///< labels that are no masks
  std::vector<std::string> unused_weights;
  std::unique_ptr<FitValidation> validation;  ///< of the network that the fit is for
};

bool wants_teacher(const StageContext& context) { return context.spec.settings.value("ema_decay", 0.0) > 0; }

// The teacher may be what the fit is for.
bool is_for_teacher(const StageContext& context) {
  return context.spec.settings.value("checkpoint_of", "student") == "teacher";
}

bool names(const std::vector<std::string>& needs, std::string_view need) {
  return std::find(needs.begin(), needs.end(), need) != needs.end();
}

void add_manifest_needs(Subject& subject, const MethodManifest& manifest) {
  subject.contents = declared_contents(manifest, true);
  subject.side = manifest.supervision.side_inputs;
  subject.needs = manifest.needs;
  subject.raw_images = names(manifest.needs, "images_raw");
  subject.learns_masks = subject.contents.contains(Content::mask);
}

// Labels that an earlier stage left, whatever made them. Who does not ask for pixels that are undecided ignores them.
void take_labels_from(Subject& subject, const StageContext& context, const std::string& input) {
  const auto reader = std::make_shared<ProductReader>(context.artefact_folder, context.input_key(input));
  const bool keeps_undecided = names(subject.needs, "undecided");
  subject.learns_masks = false;
  subject.target = [reader, keeps_undecided](const std::string& id) {
    const ImageProduct product = reader->read(id);
    if (product.labels && keeps_undecided) return product.labels->labels_nhw[0];
    if (product.labels) {
      const at::Tensor labels = product.labels->labels_nhw[0];
      return labels.masked_fill(labels.eq(kUndecidedLabel), kIgnoreLabel);
    }
    throw ContractError("plan", "a fit's labels are labels", "a labels artefact", "maps");
  };
}

/// What image-level labels say of a role before training.
struct ImageChoice {
  std::vector<std::string> kept;    ///< images with a class, or all where labels are not asked for
  std::vector<std::string> broken;  ///< their labels cannot be read, and the study skips such images
  std::size_t without_class = 0;
};

ImageChoice choose_images(const Subject& subject, const StageContext& context, images::LabelledImages& images) {
  ImageChoice choice;
  if (!subject.contents.contains(Content::image_labels)) {
    choice.kept = context.spec.image_ids;
    return choice;
  }
  const bool skips = context.spec.settings.value("on_broken_image", "fail") == "skip";
  for (const std::string& id : context.spec.image_ids) {
    try {
      if (images::images_with_class(images, {id}).empty()) {
        ++choice.without_class;
      } else {
        choice.kept.push_back(id);
      }
    } catch (const UserError&) {
      if (!skips) throw;
      choice.broken.push_back(id);
    }
  }
  return choice;
}

images::LoaderOptions loader_options(const Subject& subject, const StageContext& context,
                                     std::vector<std::string> image_ids) {
  images::LoaderOptions options = loader_options_from(context);
  options.image_ids = std::move(image_ids);
  if (subject.backbone != nullptr) options.normalisation = subject.backbone->normalisation();
  options.raw_images = subject.raw_images;
  options.image_labels = subject.contents.contains(Content::image_labels);
  options.side.assign(subject.side.begin(), subject.side.end());
  add_companions(context, subject.needs, options);
  // Masks are the loader's to open: it counts them as a batch is taken, not as it is read ahead, which a fit that goes on does
  // again.
  options.masks = subject.learns_masks;
  options.target = subject.target;
  return options;
}

// Streams beside `main` hold images alone; those of one role are counted together.
std::vector<RoleStream> further_streams(const Subject& subject, const StageContext& context,
                                        const std::shared_ptr<images::LabelledImages>& main_images) {
  std::vector<RoleStream> streams;
  std::map<std::string, std::shared_ptr<images::LabelledImages>> by_role{{context.spec.role, main_images}};
  const Json tables = context.spec.settings.value("streams", Json::object());
  for (const auto& [name, table] : tables.items()) {
    const std::string& role = context.spec.other_images.at("stream:" + name).role;
    auto& images = by_role[role];
    if (!images) images = open_images_of(context, role, subject.method, "train", {Content::image});
    images::LoaderOptions options = stream_options_from(context, name, table);
    if (subject.backbone != nullptr) options.normalisation = subject.backbone->normalisation();
    options.raw_images = subject.raw_images;
    streams.push_back({name, images, std::move(options)});
  }
  return streams;
}

RoleBatches make_batches(const Subject& subject, const StageContext& context, protocol::StageResult& result) {
  std::set<std::string> side = companion_side(context, subject.needs);
  side.insert(subject.side.begin(), subject.side.end());
  const auto images = open_images(context, subject.method, "train", subject.contents, std::move(side));
  ImageChoice choice = choose_images(subject, context, *images);
  if (subject.contents.contains(Content::image_labels)) result.facts["images_without_class"] = choice.without_class;
  std::vector<RoleStream> streams{{"main", images, loader_options(subject, context, std::move(choice.kept))}};
  for (RoleStream& stream : further_streams(subject, context, images)) streams.push_back(std::move(stream));
  RoleBatches batches(std::move(streams), context.services.device());
  for (std::string& id : choice.broken) batches.add_broken(std::move(id));
  if (subject.validation) batches.count_also(subject.validation->images());
  return batches;
}

void report_validation(const fit::Validated& validated, const StageContext& context, protocol::StageResult& result) {
  const Json& table = context.spec.settings.at("validate");
  const std::string metric = table.at("metric").get<std::string>();
  const bool chosen = context.spec.settings.value("checkpoint", "last") == "best";
  result.metrics.push_back({metric, "", validated.value, "1", "validation", chosen ? "chosen" : "", std::nullopt});
  result.curves.push_back({metric, "step", "validation", validated.course.steps, validated.course.values});
  result.facts["validated_on"] = context.spec.other_images.at("validate").role;
  result.facts["checkpoint_step"] = validated.step;
}

void report(const fit::FitOutcome& outcome, protocol::StageResult& result) {
  for (const auto& [term, value] : outcome.last_losses) {
    result.metrics.push_back({"loss", term, value, "1", "training", "", std::nullopt});
  }
  for (const auto& [term, curve] : outcome.curves) {
    result.curves.push_back({"loss." + term, "step", "training", curve.steps, curve.values});
  }
  for (const auto& [name, curve] : outcome.learning_rates) {
    const std::string shown = name == "main" ? "learning_rate" : "learning_rate." + name;
    result.curves.push_back({shown, "step", "training", curve.steps, curve.values});
  }
  if (outcome.steps_left_out > 0) result.facts["steps_left_out"] = outcome.steps_left_out;
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
  RoleBatches batches = make_batches(subject, context, result);
  const std::filesystem::path resume_file = context.folder() / "resume.safetensors";
  fit::FitJob job{.student = *subject.student,
                  .teacher = subject.teacher,
                  .batches = batches,
                  .run = *subject.run,
                  .settings = fit::train_settings_from(context.spec.settings),
                  .random_seed = context.random_seed(),
                  .operation = context.operation(),
                  .method = subject.method,
                  .collects = subject.collects,
                  .resume_file = resume_file};
  job.on_step = [&](const std::map<std::string, double>& losses) { context.services.losses(losses); };
  if (subject.validation) job.validate = [&] { return subject.validation->score(); };
  const fit::FitOutcome outcome = fit::fit(job);
  report(outcome, result);
  if (outcome.validated) report_validation(*outcome.validated, context, result);
  write_checkpoint(context, outcome, result);
  std::filesystem::remove(resume_file);
  if (!batches.broken_images().empty()) result.facts["images_broken"] = batches.broken_images();
  if (!subject.unused_weights.empty()) result.facts["weights_unused"] = subject.unused_weights;
  result.ledger = batches.ledger();
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
  if (validates(context)) subject.validation = make_validation(context, is_for_teacher(context) ? *teacher : model);
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
  if (context.has_input("labels")) take_labels_from(subject, context, "labels");
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
  add_manifest_needs(subject, *model.strategy.manifest);
  for (const plugin::Built<Loss>& loss : model.losses) {
    subject.needs.insert(subject.needs.end(), loss.manifest->needs.begin(), loss.manifest->needs.end());
    const std::vector<std::string> needs = loss.method->needs();
    if (names(needs, "present")) subject.contents.insert(Content::image_labels);
    if (names(needs, "images_raw")) subject.raw_images = true;
  }
  if (context.spec.settings.value("label_source", "pseudo_labels") == "masks") {
    subject.contents.insert(Content::mask);
    subject.learns_masks = true;
  } else {
    take_labels_from(subject, context, "labels");
  }
  std::optional<SegmenterModel> teacher;
  if (wants_teacher(context)) {
    teacher.emplace(build_segmenter(context, crop));
    subject.teacher = teacher->strategy.method.get();
  }
  if (validates(context)) subject.validation = make_validation(context, is_for_teacher(context) ? *teacher : model);
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
