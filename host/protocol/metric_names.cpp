#include "protocol/metric_names.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iterator>
#include <utility>

#include "seedbed/error.hpp"

namespace seedbed::protocol {
namespace {

using enum MetricOf;

constexpr double kMostPixels = 1000;
constexpr double kMostSteps = 1000;

std::string shortest(double number) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  return {text.data(), end};
}

// What stands for `*` in `text`, where the rest fits.
std::optional<std::string_view> number_text(std::string_view form, std::string_view text) {
  const std::size_t star = form.find('*');
  const std::string_view before = form.substr(0, star), behind = form.substr(star + 1);
  if (text.size() <= before.size() + behind.size() || !text.starts_with(before) || !text.ends_with(behind))
    return std::nullopt;
  return text.substr(before.size(), text.size() - before.size() - behind.size());
}

std::optional<double> number_from(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

void require_number(const MetricDefinition& metric, std::string_view text, std::string_view written, double number) {
  const bool is_whole = number == std::floor(number);
  if (number < metric.least || number > metric.most || (metric.whole_number && !is_whole))
    throw UserError("", "The number in a metric's name is out of range: `" + std::string(text) + "`.",
                    "`" + std::string(metric.form) + "` takes " + (metric.whole_number ? "whole " : "") +
                        "numbers from " + shortest(metric.least) + " to " + shortest(metric.most));
  if (written != shortest(number))
    throw UserError(
        "",
        "A metric has one name, and this one's number is not written the shortest way: `" + std::string(text) + "`.",
        "write " + shortest(number));
}

// "pointing_15" as "pointing_*": a slip beside a number is then as near as any other.
std::string with_star_for_number(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789";
  const std::size_t begin = text.find_first_of(kDigits);
  if (begin == std::string_view::npos) return std::string(text);
  const std::size_t end = std::min(text.find_first_not_of("0123456789.", begin), text.size());
  return std::string(text.substr(0, begin)) + "*" + std::string(text.substr(end));
}

[[noreturn]] void refuse_unknown(std::string_view text) {
  std::vector<std::string> forms;
  for (const MetricDefinition& metric : metric_definitions())
    if (can_be_named(metric.of)) forms.emplace_back(metric.form);
  std::string near = nearest_name(text, forms);
  if (near.empty()) near = nearest_name(with_star_for_number(text), forms);
  throw UserError("", "There is no such metric: `" + std::string(text) + "`.",
                  (near.empty() ? "" : "nearest: `" + near + "`; ") +
                      std::string("host/metrics/README.md lists the names, where `*` stands for a number"));
}

}  // namespace

const std::vector<MetricDefinition>& metric_definitions() {
  static const std::vector<MetricDefinition> all{
      {"miou_union", counts, false,
       "Mean IoU over labels with pixels in truth or prediction, counts summed over images."},
      {"miou_truth", counts, false, "The same over labels with pixels in truth."},
      {"miou_all", counts, false, "The same over all labels, an absent one as 0."},
      {"miou_foreground", counts, false, "As `miou_union`, without the background."},
      {"miou_images", counts, false, "Mean over images of the image's own `miou_union` (mIoU_I)."},
      {"miou_classes", counts, false,
       "Mean over labels of the label's IoU averaged over the images that it is in (mIoU_C)."},
      {"iou", counts, true, "IoU of one label, counts summed over images."},
      {"pixel_accuracy", counts, false, "Share of counted pixels with the right label."},
      {"precision", counts, true, "Hits over predicted pixels of one label."},
      {"recall", counts, true, "Hits over true pixels of one label (class accuracy)."},
      {"dice", counts, true, "Twice the hits over the sum of predicted and true pixels of one label."},
      {"mean_precision", counts, false, "Over labels that were predicted."},
      {"mean_recall", counts, false, "Over labels in truth (mean accuracy)."},
      {"mean_dice", counts, false, "Over labels with pixels in truth or prediction."},
      {"mean_f1_defined", counts, false, "Of precision and recall, over labels where not both are 0 (mmsegmentation)."},
      {"fw_iou", counts, false, "IoU weighted by the label's share of true pixels."},
      {"foreground_precision", counts, false, "Of any class against the background."},
      {"foreground_recall", counts, false, "Of any class against the background."},
      {"foreground_iou", counts, false, "Of any class against the background."},
      {"fp_over_union", counts, true, "Wrongly given pixels of one label over its union (over-activation)."},
      {"fn_over_union", counts, true, "Missed pixels of one label over its union (under-activation)."},
      {"mean_fp_over_union", counts, false, "`fp_over_union` over classes in truth or prediction."},
      {"mean_fn_over_union", counts, false, "`fn_over_union` over classes in truth or prediction."},
      {"fp_over_tp", counts, true, "Wrongly given pixels of one label over its hits; left out where infinite."},
      {"fn_over_tp", counts, true, "Missed pixels of one label over its hits; left out where infinite."},
      {"mean_fp_over_tp", counts, false, "`fp_over_tp` over classes with hits (SEAM's m_FP)."},
      {"mean_fn_over_tp", counts, false, "`fn_over_tp` over classes with hits (SEAM's m_FN)."},
      {"false_positive_rate", counts, true, "Wrongly given pixels of one label over true pixels of all others."},
      {"false_negative_rate", counts, true, "Missed pixels of one label over its true pixels."},
      {"boundary_iou_*_void_cleared", outlines, true,
       "Boundary IoU within that share of the diagonal; void leaves both masks first, so edges run along it.", 0.0001,
       1},
      {"boundary_iou_*_void_dropped", outlines, true,
       "The same, boundaries of the masks as they are; void pixels are then not counted.", 0.0001, 1},
      {"boundary_iou_*_void_cleared_images", outlines, false, "Mean over images of the image's own.", 0.0001, 1},
      {"boundary_iou_*_void_dropped_images", outlines, false, "Mean over images of the image's own.", 0.0001, 1},
      {"boundary_f_*", outlines, false,
       "Boundary F (DAVIS), tolerance that share of the diagonal; mean over pairs of image and class.", 0.0001, 1},
      {"boundary_f_*px", outlines, false, "The same, tolerance in pixels.", 0, kMostPixels, true},
      {"boundary_f_*_all_labels", outlines, false, "The same, the background among the pairs.", 0.0001, 1},
      {"trimap_miou_*px_disk_all_edges", outlines, false,
       "`miou_union` of pixels so near (Euclidean) to a change of label in the truth, changes to void too.", 0,
       kMostPixels, true},
      {"trimap_miou_*px_disk_class_edges", outlines, false, "The same, without changes to void.", 0, kMostPixels, true},
      {"trimap_miou_*px_square_all_edges", outlines, false, "The same, chessboard distance.", 0, kMostPixels, true},
      {"trimap_miou_*px_square_class_edges", outlines, false, "The same, chessboard distance, without changes to void.",
       0, kMostPixels, true},
      {"pixel_ap", maps, true,
       "Average precision of pixels (PxAP, 101 bins) over all pairs of image and true class; a class without map has "
       "0."},
      {"mean_pixel_ap", maps, false, "`pixel_ap` class by class, averaged."},
      {"pointing_*px", maps, true, "Maxima nearer than that to a pixel of the class, averaged over classes that occur.",
       0, kMostPixels, true},
      {"pointing_*px_all_classes", maps, false, "The same over all classes, one that does not occur as 0 (TorchRay).",
       0, kMostPixels, true},
      {"pointing_*px_pooled", maps, false, "The same over all pairs of image and class.", 0, kMostPixels, true},
      {"energy_inside", maps, false, "Share of a map's values on the class, mean over pairs with any."},
      {"energy_inside_void_dropped", maps, false, "The same, void pixels in neither sum."},
      {"max_box_acc", boxes, false, "MaxBoxAcc: largest contour, IoU 0.5, the best of 100 thresholds."},
      {"max_box_acc_v2", boxes, false,
       "MaxBoxAccV2: any contour, mean over IoU 0.3, 0.5, 0.7 of the best threshold's."},
      {"max_box_acc_largest_*", boxes, false, "Largest contour, that IoU in per cent.", 1, 100, true},
      {"max_box_acc_any_*", boxes, false, "Any contour, that IoU in per cent.", 1, 100, true},
      {"max_box_acc_annotated", annotated_boxes, false,
       "MaxBoxAcc: largest contour, IoU 0.5, the best of 100 thresholds."},
      {"max_box_acc_v2_annotated", annotated_boxes, false,
       "MaxBoxAccV2: any contour, mean over IoU 0.3, 0.5, 0.7 of the best threshold's."},
      {"max_box_acc_largest_*_annotated", annotated_boxes, false, "Largest contour, that IoU in per cent.", 1, 100,
       true},
      {"max_box_acc_any_*_annotated", annotated_boxes, false, "Any contour, that IoU in per cent.", 1, 100, true},
      {"ece_*", probabilities, false, "Expected calibration error of pixels, so many bins (lo, hi] with float32 edges.",
       1, 1000, true},
      {"ece_*_lower", probabilities, false, "The same, bins [lo, hi) (torchmetrics).", 1, 1000, true},
      {"mce_*", probabilities, false, "Maximum calibration error, bins as `ece_*`.", 1, 1000, true},
      {"rmsce_*", probabilities, false, "Root mean squared calibration error, bins as `ece_*`.", 1, 1000, true},
      {"insertion_*_blur_probability", causal, true,
       "Area under the sigmoid of the class's logit while the image appears on its blurred form in so many equal "
       "steps, "
       "pixels of the largest values first; mean over pairs of image and class.",
       1, kMostSteps, true},
      {"insertion_*_blur_logit", causal, true, "The same of the logit itself.", 1, kMostSteps, true},
      {"insertion_*_grey_probability", causal, true, "The same of the sigmoid, on the network's mean colour.", 1,
       kMostSteps, true},
      {"insertion_*_grey_logit", causal, true, "The same of the logit.", 1, kMostSteps, true},
      {"deletion_*_blur_probability", causal, true,
       "As `insertion_*_blur_probability`, while the image gives way to its blurred form; small is good.", 1,
       kMostSteps, true},
      {"deletion_*_blur_logit", causal, true, "The same of the logit itself.", 1, kMostSteps, true},
      {"deletion_*_grey_probability", causal, true, "The same of the sigmoid, to the network's mean colour.", 1,
       kMostSteps, true},
      {"deletion_*_grey_logit", causal, true, "The same of the logit.", 1, kMostSteps, true},
      {"map_macro", image_labels, false,
       "Mean over classes with positives of the average precision; precision summed over recall, equal scores one "
       "step."},
      {"ap", image_labels, true, "Average precision of one class."},
      {"instance_map_*", instances, false, "Mean over classes with objects of `instance_ap_*` (IoU in per cent).", 1,
       100, true},
      {"instance_ap_*", instances, true, "Area under the upper envelope of precision over recall of object masks.", 1,
       100, true},
      {"instance_mabo", instances, false, "Mean over classes with objects of `instance_abo`."},
      {"instance_abo", instances, true, "Best overlap of each object with a mask of its class, averaged."}};
  return all;
}

std::string metric_reference() {
  constexpr std::pair<MetricOf, std::string_view> kHeadings[] = {
      {counts, "Of pixels by true and predicted label (label maps, and every value of a sweep)"},
      {outlines, "Of label maps themselves"},
      {maps, "Of maps without a background plane: pairs of an image and a class that it shows"},
      {boxes, "Of such maps and the boxes of objects (data sets with `instances`)"},
      {annotated_boxes,
       "Of such maps and the boxes that the data set names: `coco`, `scenes`, `voc` with `annotations`"},
      {probabilities,
       "Of maps with a background plane that hold probabilities (predictions, and refiners that give them)"},
      {causal,
       "Of maps without a background plane and the classifier that they are seeds of, which is shown altered images"},
      {image_labels, "Of image-level scores: recorded for the target `image_labels`"},
      {instances, "Of objects: recorded for the target `instances`"}};
  std::string text;
  for (const auto& [of, heading] : kHeadings) {
    text += (text.empty() ? "" : "\n") + std::string(heading) +
            ":\n\n| name | each class | what it is |\n| --- | --- | --- |\n";
    for (const MetricDefinition& metric : metric_definitions())
      if (metric.of == of)
        text += "| `" + std::string(metric.form) + "` | " + (metric.by_class ? "yes" : "") + " | " +
                std::string(metric.meaning) + " |\n";
  }
  return text;
}

MetricName metric_name_from(std::string_view text) {
  for (const MetricDefinition& metric : metric_definitions()) {
    if (!can_be_named(metric.of)) continue;
    if (metric.form == text) return {std::string(text), &metric, 0};
    if (metric.form.find('*') == std::string_view::npos) continue;
    const auto written = number_text(metric.form, text);
    const auto number = written ? number_from(*written) : std::nullopt;
    if (!number) continue;
    require_number(metric, text, *written, *number);
    return {std::string(text), &metric, *number};
  }
  refuse_unknown(text);
}

std::vector<MetricName> metric_names_from(const std::vector<std::string>& texts) {
  std::vector<MetricName> names;
  for (const std::string& text : texts)
    if (std::ranges::find(names, text, &MetricName::text) == names.end()) names.push_back(metric_name_from(text));
  return names;
}

std::vector<MetricName> names_of(const std::vector<MetricName>& names, MetricOf of) {
  std::vector<MetricName> found;
  std::ranges::copy_if(names, std::back_inserter(found), [&](const MetricName& n) { return n.definition->of == of; });
  return found;
}

bool can_be_named(MetricOf of) { return of != image_labels && of != instances; }

}  // namespace seedbed::protocol
