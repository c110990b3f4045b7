#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/backbone.hpp"
#include "seedbed/export.hpp"
#include "seedbed/loss.hpp"
#include "seedbed/manifest.hpp"
#include "seedbed/refiner.hpp"
#include "seedbed/seed_generator.hpp"
#include "seedbed/segmentation_head.hpp"
#include "seedbed/trainable.hpp"

/// The promises of each kind, as code. The host calls these on every result of every plugin; so does the conformance
/// kit. All throw ContractError with the method's id, the broken promise, and the expected and found values.
/// Threads: [any-thread].
namespace seedbed {

SEEDBED_API void check_score_maps(const ScoreMaps& maps, std::int64_t num_images, std::string_view method);

/// After fusion: additionally within [0,1], zero for absent classes.
SEEDBED_API void check_fused_maps(const ScoreMaps& maps, const at::Tensor& present_nc, std::string_view method);

SEEDBED_API void check_seed_result(const SeedResult& result, const SeedRequest& request, std::int64_t num_classes,
                                   const MethodManifest& manifest);

SEEDBED_API void check_refine_result(const RefineResult& result, const RefineRequest& request,
                                     const MethodManifest& manifest);

SEEDBED_API void check_forward_result(const ForwardResult& result, const ForwardRequest& request,
                                      const Backbone& backbone, std::string_view method);

SEEDBED_API void check_loss_value(const at::Tensor& value, std::string_view method);

SEEDBED_API void check_head_result(const HeadResult& result, const HeadRequest& request, std::int64_t num_labels,
                                   std::string_view method);

SEEDBED_API void check_loss_terms(const LossTerms& terms, std::string_view method);

/// Labels 0..C, 254, 255 only; uint8; confidence, where given, of the same size and within [0,1].
SEEDBED_API void check_label_maps(const LabelMaps& labels, std::int64_t num_classes, std::string_view method);

/// Remembers tensors before a call and verifies afterwards that the callee left them alone (version counters; a full
/// comparison with `thorough`).
class SEEDBED_API InputGuard {
 public:
  InputGuard(std::vector<std::pair<std::string, at::Tensor>> tensors, bool thorough);
  ~InputGuard();
  InputGuard(const InputGuard&) = delete;
  InputGuard& operator=(const InputGuard&) = delete;
  void verify(std::string_view method) const;

 private:
  struct Entry;
  std::vector<Entry> entries_;
};

}  // namespace seedbed
