#pragma once

#include <cstdint>
#include <string>

#include <ATen/core/Tensor.h>

#include "seedbed/classifier_generator.hpp"

namespace seedbed::grad_cam {

/// What the methods of this folder have in common: a classifier whose scores are explained by the activations of one
/// tap, the classifier's own or one before it.
///
/// Parameters are detached in every pass: gradients reach activations and nothing else.
class TapExplainer : public ClassifierGenerator {
 protected:
  /// Throws: UserError for taps in the wrong order, for a class token explained by its own tap, which it does not depend
  /// on, and what ClassifierGenerator's constructor throws.
  TapExplainer(ClassifierOptions options, const std::string& tap, const ModelContext& context);

  const TapInfo& explained_tap() const { return explained_; }

  /// The explained tap of `images_nchw`, without a graph, as the backbone gives it.
  at::Tensor activations_of(const at::Tensor& images_nchw, RunContext* run);

  /// Class scores [N,C] of the network from a value of the explained tap on; images were of this size. Keeps the graph.
  at::Tensor scores_from(const at::Tensor& activations, std::int64_t height_px, std::int64_t width_px, RunContext* run);

  /// Class scores [N,C] of images. No graph.
  at::Tensor scores_of(const at::Tensor& images_nchw, RunContext* run);

  /// Maps of every class, as the host takes them. `maps_nchw` [N,C,h,w].
  SeedResult result_of(const SeedRequest& request, const at::Tensor& maps_nchw, const at::Tensor& logits_nc) const;

  /// Classes that an image of the request has; all of them where the request does not say.
  std::vector<std::int64_t> classes_wanted(const SeedRequest& request) const;

 private:
  TapInfo explained_;
};

/// The base class's options in the parameters of a method of this folder.
template <typename Parameters>
ClassifierOptions classifier_options(const Parameters& parameters) {
  ClassifierOptions options = ClassifierOptions::from(parameters, parameters.classifier_tap);
  options.reference = parameters.classifier == "reference";
  options.reference_classes = parameters.reference_classes;
  return options;
}

}  // namespace seedbed::grad_cam
