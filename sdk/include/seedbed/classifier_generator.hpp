#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"
#include "seedbed/fine_tuning.hpp"
#include "seedbed/kernels/map_pooling.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/seed_generator.hpp"
#include "seedbed/trainable.hpp"

namespace seedbed {

/// What generators that read seeds out of an image classifier have in common; manifests declare these as parameters.
struct ClassifierOptions {
  std::string tap = "final";    ///< what the classifier reads; of a sequence its patch tokens
  kernels::MapPooling pooling;  ///< the rule may also be `class_token`: the first token of a sequence is classified
  bool bias = false;
  double dropout = 0.0;  ///< of whole channels, before the classifier
  bool standardise_features = false;
  bool cache_features = false;
  FineTuningOptions fine_tuning;

  /// The scores are those of the backbone's own classifier, and nothing is trained. `reference_classes` names its output
  /// for each class; without it, its classes are the data set's.
  bool reference = false;
  std::vector<std::int64_t> reference_classes{};

  /// From a generated struct of parameters that declares all of these under the names that `cam` gives them, with the
  /// classifier's tap as `tap_name`.
  template <typename Parameters>
  static ClassifierOptions from(const Parameters& parameters, const std::string& tap_name) {
    return {.tap = tap_name,
            .pooling = {parameters.pooling, parameters.rank_decay, parameters.top_cells, parameters.temperature},
            .bias = parameters.bias,
            .dropout = parameters.dropout,
            .standardise_features = parameters.standardise_features,
            .cache_features = parameters.cache_features,
            .fine_tuning = {.freeze_backbone = parameters.freeze_backbone,
                            .batch_statistics = parameters.batch_norm == "batch",
                            .new_learning_rate_factor = parameters.new_learning_rate_factor,
                            .bias_learning_rate_factor = parameters.bias_learning_rate_factor,
                            .bias_weight_decay_factor = parameters.bias_weight_decay_factor}};
  }
};

/// A seed generator whose class scores are those of a linear classifier over one tap of a backbone, trained with image
/// labels (multi-label soft margin). Derived classes say how seeds are read out of it.
///
/// With `reference` the scores are those of the backbone's own classifier instead.
///
/// With `standardise_features` a first pass collects mean m and deviation s of the averaged features over the training
/// role, and the classifier sees (f - m) / s. With `cache_features` each image passes a frozen backbone once.
///
/// State names: backbone.*, classifier.weight [C,D,1,1], classifier.bias (neither with `reference`), and where features
/// are standardised feature_count, feature_mean and feature_spread.
/// Threads: [one-at-a-time]. Gradient: as SeedGenerator and Trainable say.
class SEEDBED_API ClassifierGenerator : public SeedGenerator, public Trainable {
 public:
  ~ClassifierGenerator() override;

  Trainable* trainable() override { return options_.reference ? nullptr : this; }
  Backbone* backbone() override { return &backbone_.backbone(); }

  Module& trained_module() override { return *this; }
  std::vector<ParameterGroup> parameter_groups() override;
  LossTerms training_step(const StepRequest& request) override;
  void collect(const StepRequest& request) override;

 protected:
  /// Throws: UserError for an unknown tap, for `class_token` on a tap without tokens, for cached features without a
  /// frozen backbone and average pooling, and for a reference classifier that the backbone lacks, or whose outputs are
  /// not those asked for.
  ClassifierGenerator(ClassifierOptions options, const ModelContext& context);

  std::int64_t num_classes() const { return num_classes_; }

  /// The classifier's tap of `images_nchw`, as the backbone gives it: [N,D,h,w] or [N,L,D].
  at::Tensor tap_of(const at::Tensor& images_nchw, RunContext* run) const;

  /// The cells of a value of tap `tap`, [N,D,h,w]; patch tokens are laid out for images of this size.
  at::Tensor cells_of(const TapInfo& tap, const at::Tensor& value, std::int64_t height_px, std::int64_t width_px) const;

  /// w_c . f(u) (+ the bias) of each cell: [N,D,h,w] -> [N,C,h,w]. Not for a reference classifier.
  at::Tensor class_maps(const at::Tensor& cells_ndhw, bool with_bias) const;

  /// Image-level scores [N,C] of a value of the classifier's tap, from images of this size. Keeps the graph.
  at::Tensor logits_of(const at::Tensor& tap_value, std::int64_t height_px, std::int64_t width_px,
                       RunContext& run) const;

  const TapInfo& classifier_tap() const { return tap_; }

 private:
  void on_train_mode(bool on) override;
  void add_classifier(const ModelContext& context);
  void check_reference_classes();
  bool pools_average() const { return options_.pooling.rule == "gap"; }
  at::Tensor standardised(const at::Tensor& features) const;
  at::Tensor reference_logits_of(const at::Tensor& tap_value) const;
  at::Tensor logits_of_feature(const at::Tensor& features_nd, RunContext& run) const;
  at::Tensor average_of(const at::Tensor& images_nchw, RunContext* run) const;
  std::vector<at::Tensor> average_features(const ViewBatch& batch, RunContext* run);

  ClassifierOptions options_;
  FineTunedBackbone backbone_;
  TapInfo tap_;
  std::int64_t num_classes_;
  std::shared_ptr<Conv2d> classifier_;  // null with a reference classifier, like what follows
  std::shared_ptr<Dropout> dropout_;

  // Welford's running moments of the averaged features, over the images of the training role.
  at::Tensor feature_count_;     // [] float64
  at::Tensor feature_mean_d_;    // [D] float64
  at::Tensor feature_spread_d_;  // [D] float64, sum of squared deviations
  bool collecting_ = false;

  std::map<std::string, at::Tensor, std::less<>> cached_;  // [D] by image id and size
};

/// The planes of C classes: 1 .. C.
SEEDBED_API std::vector<std::int64_t> foreground_planes(std::int64_t num_classes);

}  // namespace seedbed
