#include "study/host_tables.hpp"

#include <algorithm>
#include <utility>

#include "seedbed/error.hpp"
#include "study/key_specs.hpp"

namespace seedbed::study {
namespace {

ParameterSpec inference_precision() {
  return choice("precision", "float32", {"float32", "bfloat16", "float16"},
                "Of the network's arithmetic, where LibTorch's autocast holds it safe; `float16` needs a GPU.");
}

ParameterSpec scales(std::string summary) {
  ParameterSpec spec = key("scales", ParameterType::numbers, std::vector<double>{1.0}, std::move(summary));
  spec.minimum = 0.01;
  spec.maximum = 16;
  spec.minimum_size = 1;
  return spec;
}

ParameterSpec input(std::string summary) { return text("input", "native", std::move(summary)); }

ParameterSpec keep() {
  return choice("keep", "none", {"none", "file"},
                "`file` writes the result to the artefact folder and leaves it there.");
}

HostTable file_table() {
  return {"",
          "at the top of the file",
          "A study is one TOML file.",
          {integer("schema", 1, {.minimum = 1, .maximum = 1}, "Version of this grammar; every study names it.")},
          {{"extends", "a path or a list of paths", "Files that this one goes over, later ones over earlier ones."}}};
}

HostTable study_table() {
  ParameterSpec seeds = key("random_seeds", ParameterType::integers, std::vector<std::int64_t>{0},
                            "Each grid point runs once for each; different numbers.");
  seeds.minimum = 0;
  seeds.minimum_size = 1;
  return {"study",
          "[study]",
          "What the study is called and how often it is repeated.",
          {text("name", "", "Name in the store and in tables; without it, the file's name."),
           text("summary", "", "One sentence for readers; changes nothing."), seeds}};
}

HostTable execution_table() {
  return {
      "execution",
      "[execution]",
      "How the work is carried out.",
      {text("device", "auto", "`auto`, `cpu` or `cuda:0`; `auto` takes the first GPU if there is one."),
       integer("threads", 1, {.minimum = 1, .maximum = 1024},
               "Threads of each worker; part of the results, since sums depend on them in the last bits."),
       integer("workers", 0, {.minimum = 0, .maximum = 1024},
               "Workers at the same time; 0 takes as many as fit the cores. Changes no number."),
       choice("isolation", "worker", {"worker"}, "`worker`: workers live on from stage to stage."),
       flag("deterministic", true, "Refuse operations whose result may differ from run to run."),
       choice("key_policy", "revision", {"revision", "binary"},
              "What makes a stored result count as the same: the revision of each method, or its library's bytes.")}};
}

HostTable dataset_table() {
  return {"dataset",
          "[dataset]",
          "The images. `seedbed datasets info` lists the keys of each kind.",
          {},
          {{"kind", "`scenes`, `voc`, `coco` or `folder`", "Which data set this is."},
           {"root", "a path", "Folder of the files; `${NAME}` is taken from the environment."},
           {"roles", "a table of texts",
            "Image lists by role: `train` (weak labels), `measure` and `test` (scored), `select` (for choosing)."}}};
}

HostTable method_table() {
  return {
      "method",
      "wherever a method is named: METHOD",
      "Parameters of the method stand beside these keys; `seedbed plugins info ID` lists them.",
      {text("preset", "", "A named preset of the method: its parameters and its `train` and `localise`."),
       text("weights", "", "File with trained weights, relative to the file that names it; without it, random ones."),
       flag("strict", true, "Refuse weights whose head has another number of classes; `false` lists them.")},
      {{"method", "an id",
        "Which method; `seedbed plugins list` shows all. Another id drops the old one's parameters."},
       {"uses", "SLOT = METHOD", "Methods that this one works with."}}};
}

HostTable backbone_table() { return {"backbone", "[backbone]: METHOD", "The network under the seed generator.", {}}; }

HostTable generator_table() {
  return {"seed_generator",
          "[seed_generator]: METHOD",
          "What makes seeds of images.",
          {keep()},
          {{"train", "TRAIN", "How it is fitted, for methods that are."},
           {"localise", "LOCALISE", "Views of an image and how their evidence is joined."}}};
}

HostTable refiner_table() {
  return {
      "refiner",
      "[[refiner]]: METHOD, in the order of the chain",
      "What improves maps or labels.",
      {text("name", "", "Name in axes, targets and tables; without it, the method's id."),
       flag("enabled", true, "`false` leaves it out; the background it names still serves whoever needs one."),
       texts("inputs", {"main"}, "What it reads: `main` is the chain before it."), keep()},
      {{"background", "RULE `threshold`, `power` or `saliency`", "Adds the background plane that the method needs."},
       {"backbone", "METHOD", "Network of a trained refiner; without it, the study's."},
       {"train", "TRAIN", "How it is fitted, for refiners that are."},
       {"labels", "RULE", "Turns maps into the labels that it is fitted to."},
       {"companions", "NAME = COMPANION", "Further maps and labels beside its training images."}}};
}

HostTable companion_table() {
  return {
      "companion",
      "refiner.companions.NAME: COMPANION",
      "Maps or labels that come with the training images of a refiner, under a name that the method knows. They are "
      "made of the maps that reach it.",
      {},
      {{"refiners", "a list of METHOD", "A chain that the maps pass first; each may hold its `background`."},
       {"background", "RULE `threshold`, `power` or `saliency`", "Then adds a background plane."},
       {"labels", "RULE", "Then makes labels of them."}}};
}

HostTable pseudo_label_table() {
  return {"pseudo_label",
          "[pseudo_label]",
          "How maps become labels.",
          {keep()},
          {{"background", "RULE", "Not needed where the last refiner gives labels."}}};
}

HostTable segmenter_table() {
  return {"segmenter",
          "[segmenter]",
          "The segmentation network that is fitted to the labels.",
          {flag("enabled", true, "`false` leaves it out, and the scores of its predictions."),
           choice("labels", "pseudo_labels", {"pseudo_labels", "masks"},
                  "What it is fitted to; `masks` gives an upper bound, marked so.")},
          {{"backbone", "METHOD", "Its network; without it, the study's."},
           {"head", "METHOD", "From features to labels."},
           {"loss", "a list of METHOD with `name` and `weight`",
            "Without it, `cross_entropy`, and nothing for strategies that bring losses of their own."},
           {"strategy", "METHOD", "How it is fitted; without it, `supervised`."},
           {"train", "TRAIN", "A preset is one of the strategy, the head or the backbone."}}};
}

HostTable loss_table() {
  return {"loss",
          "segmenter.loss: METHOD",
          "One term of the loss.",
          {text("name", "", "Name in curves; without it, the method's id."),
           number("weight", 1.0, {.minimum = 0}, "Factor of the term.")}};
}

HostTable score_table() {
  return {"score",
          "[score]",
          "What is measured, on which images.",
          {texts("targets", {},
                 "Of `seeds`, `pseudo_labels`, `predictions`, `image_labels`, `instances` and names of refiners; "
                 "without it, all but `image_labels` and `instances` that the study makes and can label."),
           texts("roles", {}, "Roles with masks; without it, those of `measure` and `test` that there are."),
           texts("metrics", {},
                 "Names of host/metrics/README.md, recorded beside `miou_union`, `pixel_accuracy` and `iou` for the "
                 "targets that can have them."),
           choice("void", "background", {"background", "error", "exclude"},
                  "What a pixel counts as that a method left undecided.")},
          {{"predictions", "a list of PREDICTION", "Ways of asking the segmenter; without it, one at scale 1."}}};
}

HostTable prediction_table() {
  return {"prediction",
          "score.predictions: PREDICTION",
          "One way of asking the segmenter.",
          {text("name", "", "Name in tables; without it, made of what follows, `predictions` for the plain one."),
           scales("Sizes at which an image is seen."), flag("flip", false, "See each mirrored as well."),
           input("Size of the network's input: `native`, `long_side:448`, `square:320`, `ceil:16`."),
           inference_precision()},
          {{"refiners", "a list of METHOD", "A chain on the predicted maps, which hold a background plane."}}};
}

HostTable rule_table() {
  return {"rule",
          "pseudo_label.background, refiner.background, refiner.labels, COMPANION: RULE",
          "Where background begins.",
          {choice("rule", "", {"argmax", "threshold", "power", "two_thresholds", "two_powers", "saliency"},
                  "`argmax` needs maps with a background plane, the others make one.")},
          {{"value", "a number, 0 .. 1", "threshold: foreground above it."},
           {"alpha", "a number above 0", "power: the background is (1 - max)^alpha."},
           {"choose", "CHOOSE", "Instead of the number: the best on a role."},
           {"high", "a number, 0 .. 1", "two_thresholds: foreground above it."},
           {"low", "a number, 0 .. 1", "two_thresholds: background below it, in doubt between the two."},
           {"alpha_low", "a number above 0", "two_powers: foreground beside the background (1 - max)^alpha_low."},
           {"alpha_high", "a number above 0", "two_powers: background beside (1 - max)^alpha_high, in doubt between."},
           {"refiners", "a list of METHOD",
            "two_thresholds, two_powers: both label maps pass them before they are compared (IRN, PSA)."},
           {"background_wins", "true or false",
            "With `refiners`: background where the two contradict each other (PSA), else the class (IRN)."}}};
}

HostTable saliency_table() {
  return {"saliency",
          "in a RULE `saliency`",
          "The background's score is 1 - saliency (DRS). A refiner's `background` takes the first three.",
          {text("side", "saliency", "The side input that holds saliency."),
           number("salient", 50.0, {.minimum = 0, .maximum = 255}, "Pixels with a higher grey level are salient."),
           flag("soft", false, "Saliency is the grey level over 255 and not 0 or 1."),
           number("floor", 0.2, {.minimum = 0, .maximum = 1}, "Evidence below it is none."),
           flag("doubt_salient", true, "Salient pixels that no class wins are in doubt.")}};
}

HostTable doubt_table() {
  return {
      "doubt",
      "in a RULE that makes labels",
      "Which pixels are in doubt, whatever the rule, and what else labels hold.",
      {number("conflict", 0.9, {.minimum = 0, .maximum = 1}, "Scores above it claim a pixel, the background's too."),
       integer("conflict_count", 0, {.minimum = 0, .maximum = 256},
               "So many claims are a conflict, and the pixel is in doubt; 0 = never (DRS: 3, in its text 2)."),
       number("ignore_below", 0.0, {.minimum = 0, .maximum = 1},
              "Pixels whose winning score is lower are in doubt (CLIP-ES: 0.95)."),
       choice("doubtful", "ignore", {"ignore", "undecided"}, "Label of pixels in doubt: 255, or 254 for later ones."),
       flag("confidence", false, "Labels come with the winning score, 0 to 1, and 0 where they are in doubt.")}};
}

HostTable choose_table() {
  return {"choose",
          "in a RULE: CHOOSE",
          "Tries every number on a role with masks. On the scored role it is an oracle, and shown as one.",
          {text("on", "", "The role; this key is needed."),
           choice("metric", "miou_union", {"miou_union"}, "What is made best."),
           number("from", 0.0, {.minimum = 0}, "First number; for `power` 1 without it."),
           number("to", 0.99, {.minimum = 0}, "Last number; for `power` 32 without it."),
           number("step", 0.01, {.minimum = 1e-6}, "Distance of the numbers; for `power` 1 without it.")}};
}

std::vector<ParameterSpec> optimiser_keys() {
  return {choice("optimiser", "sgd", {"sgd", "adam", "adamw", "sgd_poly_released"},
                 "`sgd_poly_released`: the published polynomial SGD, whose weight decay takes the momentum's place; "
                 "corrected, it is `sgd` with schedule `poly`."),
          number("learning_rate", 0.01, {.minimum = 1e-12}, "Base rate; groups multiply it."),
          number("momentum", 0.9, {.minimum = 0, .maximum = 0.999999}, "Of SGD."),
          flag("nesterov", false, "Look ahead along the momentum (SGD)."),
          number("weight_decay", 0.0, {.minimum = 0}, "Added to the gradient; decoupled for `adamw`."),
          number("beta1", 0.9, {.minimum = 0, .maximum = 0.999999}, "Of Adam."),
          number("beta2", 0.999, {.minimum = 0, .maximum = 0.999999}, "Of Adam."),
          number("epsilon", 1e-8, {.minimum = 0}, "Of Adam.")};
}

std::vector<ParameterSpec> schedule_keys() {
  ParameterSpec milestones = key("milestones", ParameterType::integers, std::vector<std::int64_t>{},
                                 "`step`: where the rate is multiplied by `gamma`.");
  milestones.minimum = 1;
  return {
      choice("schedule", "constant", {"constant", "poly", "poly_warmup", "poly_warmup_sgd_released", "step", "cosine"},
             "How the rate changes."),
      choice("schedule_unit", "step", {"step", "epoch"}, "What the schedule counts."),
      number("power", 0.9, {.minimum = 0}, "`poly`: the exponent."),
      integer("warmup_steps", 0, {.minimum = 0}, "`poly_warmup`: length of the rise."),
      number("warmup_ratio", 1e-6, {.minimum = 0, .maximum = 1}, "`poly_warmup`: rate at step 0, of the base rate."),
      flag("restart_after_warmup", false, "The decay counts from the end of the rise."),
      number("minimum_ratio", 0.0, {.minimum = 0, .maximum = 1}, "`cosine`: rate at the end, of the base rate."),
      milestones,
      number("gamma", 0.1, {.minimum = 0, .maximum = 1}, "`step`: the factor."),
      integer("update_every", 1, {.minimum = 1}, "The rate changes only at multiples of this."),
      number("schedule_stretch", 1.0, {.minimum = 1},
             "`poly`, `cosine`: the decay counts on this many times the steps.")};
}

std::vector<ParameterSpec> loader_keys() {
  return {integer("epochs", 10, {.minimum = 1}, "Passes over the role; excludes `steps`."),
          integer("steps", 0, {.minimum = 1}, "Number of steps; excludes `epochs`."),
          integer("batch_size", 16, {.minimum = 1, .maximum = 4096, .unit = "images"}, "Images of a step."),
          flag("drop_last", false, "Leave out an epoch's last batch where it is not full."),
          input("Size before augmentation: `native`, `long_side:448`, `square:320`, `ceil:16`."),
          texts("base", {}, "Steps as in `augment`, before those; views with `from = \"base\"` begin behind them."),
          texts("augment", {},
                "In this order: `flip[:P]`, `random_scale:LOW:HIGH[:FILTER[:ROUND]]`, `scale_of:FILTER:ROUND:S...`, "
                "`resize_long:LOW:HIGH[:FILTER]`, `resize_short:SIDE[:FILTER]`, `resize:HEIGHT:WIDTH[:FILTER]`, "
                "`random_resized_crop:SIDE[:LOW[:HIGH[:FILTER]]]`, `crop:SIDE[:PLACE]`, `center_crop:SIDE`, "
                "`color_jitter:B:C:S:H[:P]`, `greyscale[:P]`, `blur:LOW:HIGH[:P]`, `solarise[:P[:T]]`. FILTER is "
                "`bicubic`, `bilinear` (both PIL's) or `bilinear_cv` (OpenCV's), ROUND `even` or `down`, PLACE of a "
                "smaller image in its window `random` or `top_left`, P a probability."),
          choice("on_broken_image", "fail", {"fail", "skip"}, "`skip` goes on without it, and counts it.")};
}

std::vector<ParameterSpec> step_keys() {
  return {
      choice("precision", "float32", {"float32", "bfloat16", "float16"},
             "Of a step's arithmetic, where LibTorch's autocast holds it safe; `float16` needs a GPU."),
      number("clip_norm", 0.0, {.minimum = 0}, "Largest norm of the gradient; 0 does not clip."),
      integer("accumulate", 1, {.minimum = 1}, "Batches that make up one step."),
      flag("checkpoint_activations", false,
           "Backbones compute activations again in the backward pass instead of keeping them: less memory, more time."),
      number("ema_decay", 0.0, {.minimum = 0, .maximum = 0.999999}, "Of the averaged teacher; 0 keeps none."),
      flag("ema_warmup", false, "The decay rises as 1 - 1 / (steps + 1) until it is `ema_decay`."),
      choice("checkpoint", "last", {"last", "best"}, "Which state is used afterwards; `best` needs `validate`."),
      choice("checkpoint_of", "student", {"student", "teacher"}, "Which network is used afterwards, and validated."),
      integer("checkpoint_every", 0, {.minimum = 0, .unit = "steps"},
              "Distance of the states that an interrupted fit goes on from; 0 = none.")};
}

HostTable train_table() {
  HostTable table{
      "train",
      "seed_generator.train, refiner.train, segmenter.train: TRAIN",
      "How something is fitted.",
      {},
      {{"preset", "a name", "A preset of the method: its `train` without its parameters."},
       {"views", "NAME = VIEW", "Further ways in which a method sees each image, under names that it knows."},
       {"validate", "VALIDATE", "Scores while training; without it, none."},
       {"streams", "NAME = STREAM", "Further images of each step, for methods that take some."},
       {"optimisers", "NAME = OPTIMISER", "For groups of parameters that name one of their own."},
       {"groups", "NAME = GROUP", "Other rates for groups of parameters that the method names."},
       {"terms", "NAME = TERM", "Weights of loss terms that the method names."}}};
  for (auto part : {optimiser_keys(), schedule_keys(), loader_keys(), step_keys()}) {
    std::ranges::move(part, std::back_inserter(table.keys));
  }
  return table;
}

HostTable view_table() {
  return {"view",
          "train.views.NAME: VIEW",
          "One more way of seeing the image of a step; `main` is the one that `augment` makes.",
          {choice("from", "image", {"image", "base", "main"},
                  "What it begins with: the image as stored, what `base` made of it, or what `main` shows."),
           input("Size before its augmentation, as in TRAIN."), texts("augment", {}, "Its steps, as in TRAIN.")},
          {}};
}

HostTable group_table() {
  return {"group",
          "train.groups.NAME: GROUP",
          "Overrides for one group of parameters.",
          {without_default(
               number("learning_rate_factor", 1.0, {.minimum = 0}, "Of the rate; without it, the method's factor.")),
           without_default(number("weight_decay_factor", 1.0, {.minimum = 0},
                                  "Of the weight decay; without it, the method's factor."))}};
}

HostTable optimiser_table() {
  HostTable table{
      "optimiser",
      "train.optimisers.NAME: OPTIMISER",
      "An optimiser of its own for the groups of parameters that name it. What is left out is that of `train`.",
      {}};
  for (const auto& part : {optimiser_keys(), schedule_keys()}) {
    for (const ParameterSpec& spec : part) table.keys.push_back(without_default(spec));
  }
  return table;
}

HostTable validate_table() {
  return {
      "validate",
      "train.validate: VALIDATE",
      "Scores the state on a role's labels while it is fitted. The role is in the ledger; with `checkpoint = \"best\"` "
      "numbers on it are marked.",
      {text("on", "", "The role; this key is needed."),
       integer("every", 0, {.minimum = 0, .unit = "steps"},
               "Distance; 0 = after each epoch. The end is always scored."),
       without_default(
           choice("metric", "", {"map_macro", "miou_union"},
                  "Of generators `map_macro` (image-level scores; without it) or `miou_union` (seeds, at the best "
                  "constant threshold); of segmenters `miou_union`.")),
       scales("Sizes at which an image is seen."), flag("flip", false, "See each mirrored as well."),
       input("Size of the network's input: `native`, `long_side:448`, `square:320`, `ceil:16`.")},
      {{"fusion", "a name or a list of texts",
        "Of generators: joins the views, as in LOCALISE; without it, `plain`."}}};
}

HostTable stream_table() {
  return {"stream",
          "train.streams.NAME: STREAM",
          "Images without labels beside those of `train`, in a pace of their own.",
          {text("role", "", "Whose images; this key is needed."),
           without_default(integer("batch_size", 16, {.minimum = 1, .maximum = 4096, .unit = "images"},
                                   "Images of a step; without it, that of `train`.")),
           input("Size before augmentation: `native`, `long_side:448`, `square:320`, `ceil:16`."),
           texts("augment", {}, "As in `train`.")}};
}

HostTable term_table() {
  return {
      "term",
      "train.terms.NAME: TERM",
      "Schedule of one loss term.",
      {number("weight", 1.0, {.minimum = 0}, "Factor of the term."),
       integer("from", 0, {.minimum = 0, .unit = "steps"}, "First step that it counts in."),
       integer("to", 0, {.minimum = 0, .unit = "steps"}, "First step that it no longer counts in; 0 = to the end.")}};
}

HostTable localise_table() {
  return {
      "localise",
      "seed_generator.localise: LOCALISE",
      "Views of an image and how their evidence is joined.",
      {scales("Sizes at which an image is seen."), flag("flip", false, "See each mirrored as well."),
       input("Size of the network's input: `native`, `long_side:448`, `square:320`, `ceil:16`."), inference_precision(),
       choice("labels", "given", {"given", "predicted", "none"}, "Image labels at inference.")},
      {{"fusion", "a name or a list of texts",
        "Joins the views: `plain` (without it), `irn`, `psa`, `seam`, `drs`, `toco`, or the steps themselves."},
       {"preset", "a name", "A preset of the method: its `localise` without its parameters."}}};
}

HostTable grid_table() {
  return {"grid",
          "[[grid]]",
          "A block is the product of its axes; blocks are united; equal cells fold into one.",
          {},
          {{"axis", "a list of AXIS", "In order; later ones change fastest."},
           {"exclude", "a list of EXCLUDE", "Points that are left out."}}};
}

HostTable axis_table() {
  return {"axis",
          "[[grid.axis]]: AXIS",
          "What is varied: `key` and `values`, or `levels`.",
          {text("name", "", "Name in tables; this key is needed."),
           text("key", "", "Dotted key that takes each of `values`; members of lists go by their name.")},
          {{"values", "a list", "One level each."},
           {"levels", "a list of { label, set }", "Levels that set several keys at once, or none."},
           {"only", "AXIS = LABEL or a list", "The axis holds only where an earlier one has this label."}}};
}

HostTable exclude_table() {
  return {"exclude",
          "[[grid.exclude]]: EXCLUDE",
          "Points that are left out; one that matches nothing is an error.",
          {text("reason", "", "Why; shown by `plan`; this key is needed.")},
          {{"when", "AXIS = LABEL or a list", "All of these hold."}}};
}

HostTable report_table() {
  return {
      "report",
      "[report]",
      "How the study's table is shown.",
      {texts("rows", {}, "Axes down the table."), texts("columns", {}, "Axes across the table."),
       texts("metrics", {}, "Metrics shown."), texts("targets", {}, "Targets shown."),
       texts("roles", {}, "Roles shown."), texts("rules", {}, "Threshold rules shown: `fixed`, `chosen`, `oracle`.")}};
}

}  // namespace

const std::vector<HostTable>& host_tables() {
  static const std::vector<HostTable> all{
      file_table(),      study_table(),        dataset_table(), method_table(),   backbone_table(),
      generator_table(), train_table(),        view_table(),    validate_table(), stream_table(),
      optimiser_table(), group_table(),        term_table(),    localise_table(), refiner_table(),
      companion_table(), pseudo_label_table(), rule_table(),    saliency_table(), doubt_table(),
      choose_table(),    segmenter_table(),    loss_table(),    score_table(),    prediction_table(),
      execution_table(), grid_table(),         axis_table(),    exclude_table(),  report_table()};
  return all;
}

const HostTable& host_table(std::string_view name) {
  const auto found = std::ranges::find(host_tables(), name, &HostTable::name);
  if (found == host_tables().end()) {
    throw ContractError("study", "host tables are asked for by name", "a name of host_tables()",
                        "`" + std::string(name) + "`");
  }
  return *found;
}

const std::vector<NestedKey>& later_keys() {
  static const std::vector<NestedKey> all{
      {"source", "[[source]]", "further seed generators"},
      {"rounds", "[rounds]", "repeated training on the results"},
      {"dataset.labels.form", "`mask`, `scribble`, `point` or `box`", "weak labels of other forms"}};
  return all;
}

}  // namespace seedbed::study
