#include "seedbed/checks.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <sstream>
#include <type_traits>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"

namespace seedbed {
namespace {

// Float noise that a promise about a range or a sum allows.
constexpr double kRangeTolerance = 1e-5;
constexpr double kSumTolerance = 1e-3;

// Run-time values stand in backticks.
std::string shown(std::string_view text) { return "`" + std::string(text) + "`"; }

template <typename Number>
requires std::is_arithmetic_v<Number> std::string shown(Number value) {
  std::ostringstream text;
  text << '`' << value << '`';
  return text.str();
}

std::string shown(at::IntArrayRef values) {
  std::string text = "`[";
  for (const std::int64_t value : values) text += (text.size() > 2 ? ", " : "") + std::to_string(value);
  return text + "]`";
}

std::string shown(at::ScalarType type) { return shown(std::string_view(c10::toString(type))); }

std::string shown_range(double low, double high) { return shown(low) + " .. " + shown(high); }

/// One method's results under test: `who` goes into every error.
class Examiner {
 public:
  explicit Examiner(std::string_view method) : method_(method) {}

  [[noreturn]] void fail(std::string promise, std::string expected, std::string found) const {
    throw ContractError(method_, std::move(promise), std::move(expected), std::move(found));
  }

  void require(bool kept, const char* promise, const std::string& expected, const std::string& found) const {
    if (!kept) fail(promise, expected, found);
  }

  void require_defined(const at::Tensor& tensor, const std::string& name) const {
    if (!tensor.defined()) fail(name + " is defined", "a tensor", "an undefined tensor");
  }

  void require_type(const at::Tensor& tensor, const std::string& name, at::ScalarType type) const {
    if (tensor.scalar_type() != type) {
      fail(name + " has its type", shown(type), shown(tensor.scalar_type()));
    }
  }

  /// `shape`: -1 stands for any size of at least 1.
  void require_shape(const at::Tensor& tensor, const std::string& name, std::vector<std::int64_t> shape) const {
    bool fits = tensor.dim() == static_cast<std::int64_t>(shape.size());
    for (std::size_t i = 0; fits && i < shape.size(); ++i) {
      const std::int64_t size = tensor.size(static_cast<std::int64_t>(i));
      fits = shape[i] == -1 ? size >= 1 : size == shape[i];
    }
    if (!fits) fail(name + " has its shape (-1 is any)", shown(shape), shown(tensor.sizes()));
  }

  void require_finite(const at::Tensor& tensor, const std::string& name) const { range_of(tensor, name); }

  /// Smallest and largest value; fails where one is not finite.
  std::pair<double, double> range_of(const at::Tensor& tensor, const std::string& name) const {
    // One pass and no temporary: NaN wins both comparisons.
    const auto [low, high] = at::aminmax(tensor.detach());
    const double smallest = low.item<double>(), largest = high.item<double>();
    if (!std::isfinite(smallest) || !std::isfinite(largest)) {
      const at::Tensor wrong = at::isfinite(tensor.detach()).logical_not().nonzero()[0].to(at::kCPU);
      const at::IntArrayRef index(wrong.data_ptr<std::int64_t>(), wrong.numel());
      at::Tensor value = tensor.detach();
      for (const std::int64_t i : index) value = value.select(0, i);
      fail(name + " is finite", "finite values", shown(value.item<double>()) + " at " + shown(index));
    }
    return {smallest, largest};
  }

  void require_range(const at::Tensor& tensor, const std::string& name, double low, double high) const {
    const auto [smallest, largest] = range_of(tensor, name);
    if (smallest < low - kRangeTolerance || largest > high + kRangeTolerance) {
      fail(name + " stays in its range", shown_range(low, high), shown_range(smallest, largest));
    }
  }

  void require_detached(const at::Tensor& tensor, const std::string& name) const {
    if (tensor.requires_grad()) fail(name + " carries no graph", "a detached tensor", "one that requires gradients");
  }

  void require_device(const at::Tensor& tensor, const std::string& name, c10::Device device) const {
    if (tensor.device() != device) {
      fail(name + " is on the inputs' device", shown(device.str()), shown(tensor.device().str()));
    }
  }

  void require_float_tensor(const at::Tensor& tensor, const std::string& name, std::vector<std::int64_t> shape) const {
    require_defined(tensor, name);
    require_type(tensor, name, at::kFloat);
    require_shape(tensor, name, std::move(shape));
    require_finite(tensor, name);
  }

  void require_finite_scalar(const at::Tensor& value, const std::string& name) const {
    require_defined(value, name);
    require_shape(value, name, {});
    if (!value.is_floating_point()) fail(name + " is a floating-point scalar", "a float", shown(value.scalar_type()));
    require_finite(value, name);
  }

 private:
  std::string method_;
};

bool ever_has_trait(const MethodManifest& manifest, const std::string& trait) {
  return manifest.traits.contains(trait) ||
         std::ranges::any_of(manifest.when, [&](const auto& when) { return when.add_traits.contains(trait); });
}

std::string name_of(ValueKind kind) { return kind == ValueKind::evidence ? "evidence" : "probability"; }

/// `declared` as the manifest writes it; "any" binds nothing, "same" binds to what came in.
void check_value_kind(const Examiner& examiner, const std::string& declared, ValueKind given, const ScoreMaps* taken) {
  if (declared == "any" || (declared == "same" && !taken)) return;
  const std::string expected = declared == "same" ? name_of(taken->value) : declared;
  examiner.require(name_of(given) == expected, "maps are of the declared kind of value", expected, name_of(given));
}

void check_background(const Examiner& examiner, const std::string& declared, const ScoreMaps& given,
                      const ScoreMaps& taken) {
  if (declared == "any") return;
  const bool expected = declared == "same" ? taken.has_background() : declared == "present";
  examiner.require(given.has_background() == expected, "the background plane is as declared",
                   expected ? "a background plane" : "none", given.has_background() ? "a background plane" : "none");
}

std::vector<std::int64_t> foreground_of(const ScoreMaps& maps) {
  std::vector<std::int64_t> planes = maps.planes;
  std::erase(planes, kBackgroundLabel);
  return planes;
}

void check_instances(const Examiner& examiner, const SeedResult& result, const SeedRequest& request,
                     std::int64_t num_classes) {
  const std::int64_t n = request.images_nchw.size(0);
  examiner.require(static_cast<std::int64_t>(result.instances.size()) == n, "instances are one list an image", shown(n),
                   shown(result.instances.size()));
  for (std::size_t i = 0; i < result.instances.size(); ++i) {
    const View& view = request.views.at(i);
    for (const Instance& instance : result.instances[i]) {
      examiner.require_defined(instance.mask_hw, "an instance's mask");
      examiner.require_type(instance.mask_hw, "an instance's mask", at::kBool);
      examiner.require_shape(instance.mask_hw, "an instance's mask", {view.image_height_px, view.image_width_px});
      examiner.require(instance.class_id >= 1 && instance.class_id <= num_classes, "an instance names a class",
                       "1 .. " + shown(num_classes), shown(instance.class_id));
      examiner.require(std::isfinite(instance.score), "an instance's score is finite", "a finite number",
                       shown(instance.score));
    }
  }
}

void check_named_outputs(const Examiner& examiner, const std::set<std::string>& wanted, const NamedTensors& given,
                         const char* promise) {
  for (const std::string& name : wanted) {
    examiner.require(given.contains(name), promise, "`" + name + "`", "nothing of that name");
  }
  for (const auto& [name, tensor] : given) {
    examiner.require(wanted.contains(name), promise, "only what was asked for", "`" + name + "`");
    examiner.require_defined(tensor, "`" + name + "`");
  }
}

/// The exports that a plan asks for, by the name of their result: "block.7.soft".
std::set<std::string> wanted_exports(const AttentionPlan& plan, const Backbone& backbone) {
  const auto taps = backbone.taps();
  const auto num_blocks =
      std::ranges::count_if(taps, [](const TapInfo& tap) { return tap.name.starts_with("block."); });
  std::set<std::string> names;
  for (const AttentionBlockPlan& part : plan.blocks) {
    for (const std::int64_t block : part.blocks) {
      const std::int64_t index = block < 0 ? num_blocks + block : block;
      for (const std::string& name : part.exports) names.insert("block." + std::to_string(index) + "." + name);
    }
  }
  return names;
}

}  // namespace

void check_score_maps(const ScoreMaps& maps, std::int64_t num_images, std::string_view method) {
  const Examiner examiner(method);
  const bool agnostic = maps.planes.empty();
  const auto num_planes = agnostic ? 1 : static_cast<std::int64_t>(maps.planes.size());
  examiner.require_float_tensor(maps.scores_nphw, "scores_nphw", {num_images, num_planes, -1, -1});
  examiner.require_detached(maps.scores_nphw, "scores_nphw");
  const bool increasing = std::ranges::adjacent_find(maps.planes, std::greater_equal{}) == maps.planes.end();
  examiner.require(agnostic || (increasing && maps.planes.front() >= 0), "planes are strictly increasing labels",
                   "0 = background, then class ids in order", shown(maps.planes));
  examiner.require(static_cast<std::int64_t>(maps.covered.size()) == num_images, "covered holds one area an image",
                   shown(num_images), shown(maps.covered.size()));
  for (const Area& area : maps.covered) {
    examiner.require(area.bottom > area.top && area.right > area.left, "a covered area is not empty",
                     "top < bottom, left < right",
                     "rows " + shown_range(area.top, area.bottom) + ", columns " + shown_range(area.left, area.right));
  }
  if (maps.value == ValueKind::probability) {
    examiner.require_range(maps.scores_nphw, "probabilities", 0.0, 1.0);
    const double error = maps.scores_nphw.sum(1).sub_(1.0).abs_().max().item<double>();
    examiner.require(error <= kSumTolerance, "probabilities sum to one over the planes",
                     "within " + shown(kSumTolerance), "off by " + shown(error));
  }
}

void check_fused_maps(const ScoreMaps& maps, const at::Tensor& present_nc, std::string_view method) {
  const Examiner examiner(method);
  examiner.require_defined(maps.scores_nphw, "scores_nphw");
  check_score_maps(maps, maps.scores_nphw.size(0), method);
  examiner.require_range(maps.scores_nphw, "fused maps", 0.0, 1.0);
  if (!present_nc.defined()) return;
  const at::Tensor highest = maps.scores_nphw.amax({2, 3}).to(at::kCPU);
  const at::Tensor present = present_nc.to(at::kCPU);
  for (std::size_t p = 0; p < maps.planes.size(); ++p) {
    if (maps.planes[p] == kBackgroundLabel) continue;
    for (std::int64_t n = 0; n < highest.size(0); ++n) {
      const double value = highest[n][static_cast<std::int64_t>(p)].item<double>();
      const bool named = present[n][maps.planes[p] - 1].item<bool>();
      examiner.require(named || value == 0.0, "fused maps of absent classes are zero", "0",
                       shown(value) + " for class " + shown(maps.planes[p]) + " of image " + shown(n));
    }
  }
}

void check_seed_result(const SeedResult& result, const SeedRequest& request, std::int64_t num_classes,
                       const MethodManifest& manifest) {
  const Examiner examiner(manifest.id);
  const std::int64_t n = request.images_nchw.size(0);
  check_score_maps(result.maps, n, manifest.id);
  examiner.require_device(result.maps.scores_nphw, "scores_nphw", request.images_nchw.device());
  check_value_kind(examiner, manifest.gives.value, result.maps.value, nullptr);
  if (result.maps.planes.empty()) {
    examiner.require(ever_has_trait(manifest, "class_agnostic"), "class-agnostic maps are declared",
                     "trait `class_agnostic`, or one plane a class", "maps without planes");
  } else {
    std::vector<std::int64_t> classes = foreground_of(result.maps);
    bool complete = static_cast<std::int64_t>(classes.size()) == num_classes;
    for (std::size_t c = 0; complete && c < classes.size(); ++c)
      complete = classes[c] == static_cast<std::int64_t>(c) + 1;
    examiner.require(complete, "raw evidence has one plane for each class", "1 .. " + shown(num_classes),
                     shown(result.maps.planes));
  }
  for (const at::Tensor& added_nchw : result.added_nchw) {
    examiner.require_float_tensor(added_nchw, "added_nchw", {n, result.maps.scores_nphw.size(1), -1, -1});
    examiner.require_detached(added_nchw, "added_nchw");
    examiner.require_device(added_nchw, "added_nchw", request.images_nchw.device());
  }
  if (result.logits_nc.defined()) {
    examiner.require_float_tensor(result.logits_nc, "logits_nc", {n, num_classes});
    examiner.require_detached(result.logits_nc, "logits_nc");
  }
  if (result.segmentation_nkhw.defined()) {
    examiner.require(ever_has_trait(manifest, "segments"), "an own segmentation is declared", "trait `segments`",
                     "segmentation_nkhw without it");
    examiner.require_float_tensor(result.segmentation_nkhw, "segmentation_nkhw", {n, num_classes + 1, -1, -1});
    examiner.require_detached(result.segmentation_nkhw, "segmentation_nkhw");
  }
  check_named_outputs(examiner, {request.side_artefacts_wanted.begin(), request.side_artefacts_wanted.end()},
                      result.side_artefacts, "side artefacts are exactly those asked for");
  for (const auto& [name, tensor] : result.side_artefacts) {
    examiner.require(tensor.dim() >= 1 && tensor.size(0) == n, "a side artefact's leading dimension is N", shown(n),
                     "`" + name + "` of " + shown(tensor.sizes()));
    if (tensor.is_floating_point()) examiner.require_finite(tensor, "`" + name + "`");
    examiner.require_detached(tensor, "`" + name + "`");
  }
  if (!result.instances.empty()) {
    examiner.require(ever_has_trait(manifest, "instances"), "instances are declared", "trait `instances`",
                     "instances without it");
    check_instances(examiner, result, request, num_classes);
  }
}

void check_refine_result(const RefineResult& result, const RefineRequest& request, const MethodManifest& manifest) {
  const Examiner examiner(manifest.id);
  const std::int64_t n = request.images_nhwc.size(0);
  const bool has_maps = result.maps.scores_nphw.defined(), has_labels = result.labels.labels_nhw.defined();
  const bool gives_labels = manifest.gives.form == "labels";
  examiner.require(has_maps != gives_labels && has_labels == gives_labels, "a refiner gives what it declares",
                   gives_labels ? "labels alone" : "maps alone",
                   has_maps && has_labels ? "both"
                   : has_maps             ? "maps"
                   : has_labels           ? "labels"
                                          : "neither");
  if (gives_labels) {
    const std::int64_t num_classes = request.present_nc.defined() ? request.present_nc.size(1) : kUndecidedLabel - 1;
    check_label_maps(result.labels, num_classes, manifest.id);
    examiner.require_shape(result.labels.labels_nhw, "labels_nhw",
                           {n, request.images_nhwc.size(1), request.images_nhwc.size(2)});
    return;
  }
  check_score_maps(result.maps, n, manifest.id);
  const bool took_maps = request.maps.scores_nphw.defined();
  check_value_kind(examiner, manifest.gives.value, result.maps.value, took_maps ? &request.maps : nullptr);
  if (!took_maps) return;
  check_background(examiner, manifest.gives.background, result.maps, request.maps);
  examiner.require(foreground_of(result.maps) == foreground_of(request.maps), "a refiner keeps the classes of its maps",
                   shown(request.maps.planes), shown(result.maps.planes));
}

void check_forward_result(const ForwardResult& result, const ForwardRequest& request, const Backbone& backbone,
                          std::string_view method) {
  const Examiner examiner(method);
  const at::Tensor& input = request.from ? request.from->value : request.images_nchw;
  const std::int64_t n = input.size(0);
  std::set<std::string> wanted{request.keep.begin(), request.keep.end()};
  if (wanted.empty()) wanted.insert("final");
  check_named_outputs(examiner, wanted, result.taps, "taps are exactly those asked for");
  for (const auto& [name, tensor] : result.taps) {
    const TapInfo tap = find_tap(backbone, name);
    const auto shape = tap.is_sequence ? std::vector<std::int64_t>{n, -1, tap.channels}
                                       : std::vector<std::int64_t>{n, tap.channels, -1, -1};
    examiner.require_float_tensor(tensor, "tap `" + name + "`", shape);
    examiner.require_device(tensor, "tap `" + name + "`", input.device());
  }
  check_named_outputs(examiner, wanted_exports(request.attention, backbone), result.attention,
                      "attention exports are exactly those asked for");
  for (const auto& [name, tensor] : result.attention) {
    const bool is_map = name.ends_with(".raw") || name.ends_with(".soft") || name.ends_with(".unscaled");
    examiner.require_finite(tensor, "`" + name + "`");
    examiner.require(tensor.dim() >= 3 && tensor.size(0) == n, "an attention export's leading dimension is N", shown(n),
                     "`" + name + "` of " + shown(tensor.sizes()));
    // Keys may be spatially reduced; queries never are.
    examiner.require(!is_map || tensor.size(-1) <= tensor.size(-2), "an attention map has a row for every key",
                     "[..., L, L], or fewer columns", "`" + name + "` of " + shown(tensor.sizes()));
  }
}

void check_loss_value(const at::Tensor& value, std::string_view method) {
  const Examiner examiner(method);
  examiner.require_finite_scalar(value, "the loss");
  examiner.require(value.requires_grad() || !c10::GradMode::is_enabled(), "the loss has a graph to the logits",
                   "a scalar that requires gradients", "a detached one");
}

void check_head_result(const HeadResult& result, const HeadRequest& request, std::int64_t num_labels,
                       std::string_view method) {
  const Examiner examiner(method);
  const std::int64_t n = request.taps.begin()->second.size(0);
  examiner.require_float_tensor(result.logits_nkhw, "logits_nkhw", {n, num_labels, -1, -1});
  for (std::size_t i = 0; i < result.auxiliary_logits.size(); ++i) {
    examiner.require_float_tensor(result.auxiliary_logits[i], "auxiliary_logits[" + std::to_string(i) + "]",
                                  {n, num_labels, -1, -1});
  }
}

void check_loss_terms(const LossTerms& terms, std::string_view method) {
  const Examiner examiner(method);
  examiner.require(!terms.empty(), "a training step gives at least one term", "a named scalar", "none");
  std::set<std::string> names;
  bool any_graph = false;
  for (const auto& [name, value] : terms) {
    examiner.require(!name.empty() && names.insert(name).second, "loss terms have names of their own", "a new name",
                     "`" + name + "`");
    examiner.require_finite_scalar(value, "term `" + name + "`");
    any_graph = any_graph || value.requires_grad();
  }
  examiner.require(any_graph, "a training step has a graph", "a term that requires gradients", "detached terms alone");
}

void check_label_maps(const LabelMaps& labels, std::int64_t num_classes, std::string_view method) {
  const Examiner examiner(method);
  examiner.require_defined(labels.labels_nhw, "labels_nhw");
  examiner.require_type(labels.labels_nhw, "labels_nhw", at::kByte);
  examiner.require_shape(labels.labels_nhw, "labels_nhw", {-1, -1, -1});
  const at::Tensor& values = labels.labels_nhw;
  const at::Tensor wrong = values.gt(num_classes).logical_and_(values.lt(kUndecidedLabel));
  if (wrong.any().item<bool>()) {
    examiner.fail("labels are background, a class, undecided or ignore", "0 .. " + shown(num_classes) + ", 254, 255",
                  shown(values.masked_select(wrong)[0].item<int>()));
  }
  if (labels.confidence_nhw.defined()) {
    examiner.require_float_tensor(labels.confidence_nhw, "confidence_nhw", values.sizes().vec());
    examiner.require_range(labels.confidence_nhw, "confidence_nhw", 0.0, 1.0);
  }
}

}  // namespace seedbed
