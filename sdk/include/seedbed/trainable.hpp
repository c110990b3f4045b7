#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"
#include "seedbed/module.hpp"
#include "seedbed/run_context.hpp"
#include "seedbed/types.hpp"

namespace seedbed {

/// Parameters that share their optimiser settings. The study's `train.groups.NAME` may override both factors.
struct ParameterGroup {
  std::string name;  ///< "pretrained", "new", "pretrained_bias", "new_bias", "norm" ...
  std::vector<at::Tensor> parameters;
  double learning_rate_factor = 1.0;
  double weight_decay_factor = 1.0;
  std::string optimiser = "main";  ///< groups of another name are stepped by an optimiser of their own (adversaries)
};

/// The parameters of `module` that require gradients as up to three groups: "NAME" (weights), "NAME_bias" and
/// "NAME_norm" (scales and shifts: vectors whose sibling `weight` is a vector). Parameters marked as new
/// (Module::mark_new) are in groups "new", "new_bias" and "new_norm" instead. Empty groups are left out.
SEEDBED_API std::vector<ParameterGroup> grouped_parameters(const Module& module, std::string_view name);

/// One batch of one view of the images.
struct ViewBatch {
  at::Tensor images_nchw;      ///< [N,3,H,W] float32, normalised
  at::Tensor images_raw_nhwc;  ///< [N,H,W,3] uint8 RGB after augmentation; undefined unless needed (`needs`)
  at::Tensor present_nc;       ///< [N,C] bool; undefined unless image labels are declared
  at::Tensor target_nhw;       ///< [N,H,W] int64 with 255 = ignore; undefined unless the stream has labels
  Companions companions;       ///< what the manifest's `needs` and `side_inputs` name, moved with the images
  ValidBoxes valid;
  /// [N,2,3] float64: where the view's pixels lie in the image as it is stored. A point (x, y) of the view, counted in
  /// pixels from the outer corner of its first pixel, shows the image's point A (x, y, 1). Two views of an image are
  /// laid over each other with it: see kernels/view_geometry.hpp.
  at::Tensor to_image_n23;
  std::vector<std::string> image_ids;
};

/// Views of one stream by name; "main" is always there ("global", "local0", "strong" ...).
using StreamBatch = std::map<std::string, ViewBatch, std::less<>>;

class MapStore;
class Trainable;

struct StepRequest {
  std::map<std::string, StreamBatch, std::less<>> streams;  ///< "main" always; "unlabelled", "unpaired" ...
  std::int64_t step = 0;                                    ///< of this fit, from 0
  std::int64_t num_steps = 0;
  std::int64_t epoch = 0;  ///< from 0
  std::int64_t num_epochs = 0;
  Trainable* teacher = nullptr;  ///< exponential moving average of the student, where the fit keeps one
  /// Weight of a loss term at this step (the study's `train.terms`); a term with weight 0 need not be computed.
  std::function<double(std::string_view term)> term_weight;
  /// The fit's stores, as EpochServices gives them between epochs: what they hold outlives an interruption.
  std::function<MapStore&(std::string_view name)> map_store;
  RunContext* run = nullptr;

  /// The main view of the main stream. Throws: ContractError where the host gave none.
  SEEDBED_API const ViewBatch& main() const;
};

/// Named scalars with a graph; the host multiplies each by its weight, adds, logs, and goes backward.
using LossTerms = std::vector<std::pair<std::string, at::Tensor>>;

/// Maps or labels that a fit keeps per image while it runs (ADELE's labels, Group-WSSS's running maxima).
/// Copy-on-write; a part of the checkpoint.
class SEEDBED_API MapStore {
 public:
  virtual ~MapStore();
  virtual bool contains(std::string_view image_id) const = 0;
  /// Throws: UserError for an image that is not there.
  virtual at::Tensor read(std::string_view image_id) const = 0;
  virtual void write(std::string_view image_id, const at::Tensor& value) = 0;
  virtual std::vector<std::string> image_ids() const = 0;
};

/// What a method may ask of its host between epochs.
class SEEDBED_API EpochServices {
 public:
  virtual ~EpochServices();
  virtual std::int64_t epoch() const = 0;
  /// Visits every image of the fitted role once, in order of the list, unaugmented, at the fit's input
  /// size (`train.input`; native by default).
  virtual void for_each_image(const std::function<void(const ViewBatch&)>& visit) = 0;
  /// The named store of this fit, created when first asked for.
  virtual MapStore& map_store(std::string_view name) = 0;
  virtual RunContext& run() = 0;
};

/// What a fit does with a method: one interface for generators, refiners and strategies, so optimisers, schedules,
/// checkpoints and resume are written once (by the host).
///
/// Gradient: training_step is entered with gradients on; everything else with gradients off.
class SEEDBED_API Trainable {
 public:
  virtual ~Trainable();

  /// The module whose state a checkpoint holds and an EMA teacher follows.
  virtual Module& trained_module() = 0;

  /// Groups in a fixed order; every parameter that requires gradients is in exactly one.
  virtual std::vector<ParameterGroup> parameter_groups() = 0;

  /// Ensures: at least one term; each a scalar on the run's device, in the same order at every step where present.
  virtual LossTerms training_step(const StepRequest& request) = 0;

  /// A gradient-free pass over the role before training (trait `collects`).
  virtual void collect(const StepRequest& request);

  virtual void after_step(const StepRequest& request);
  virtual void after_epoch(EpochServices& services);
  /// Called once, after the last step and before the last checkpoint is written.
  virtual void finish(EpochServices& services);
};

}  // namespace seedbed
