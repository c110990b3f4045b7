#include "cross_entropy.hpp"

#include <algorithm>

#include <ATen/ATen.h>

#include "pixel_surprise.hpp"
#include "seedbed/error.hpp"

namespace seedbed::cross_entropy {
namespace {

// As torch.nn.CrossEntropyLoss: a pixel counts with the weight of its label. [N,H,W]
at::Tensor weights_of_labels(const LabelledPixels& pixels, const at::Tensor& class_weights) {
  return class_weights.index_select(0, pixels.labels_nhw.flatten()).view(pixels.labels_nhw.sizes()) * pixels.counts_nhw;
}

// The mean over the labels that are there of the mean over a label's pixels.
at::Tensor mean_of_label_means(const at::Tensor& values, const LabelledPixels& pixels) {
  const at::Tensor labels = pixels.labels_nhw.flatten();
  const at::Tensor none = at::zeros({pixels.logits_nkhw.size(1)}, values.options().requires_grad(false));
  const at::Tensor sums = none.index_add(0, labels, values.flatten());
  const at::Tensor sizes = none.index_add(0, labels, pixels.counts_nhw.flatten().to(values.scalar_type()));
  return (sums / sizes.clamp_min(1)).sum() / sizes.gt(0).sum().clamp_min(1);
}

// Half of the background's mean and half of the other labels'; a half without pixels gives 0.
at::Tensor mean_of_halves(const at::Tensor& values, const LabelledPixels& pixels, double count_epsilon) {
  const at::Tensor background = pixels.labels_nhw.eq(kBackgroundLabel).logical_and(pixels.counts_nhw);
  const at::Tensor foreground = pixels.labels_nhw.ne(kBackgroundLabel).logical_and(pixels.counts_nhw);
  const auto mean = [&](const at::Tensor& half) {
    const at::Tensor count = half.sum();
    return (values * half).sum() / (count_epsilon > 0 ? count + count_epsilon : count.clamp_min(1));
  };
  return 0.5 * (mean(background) + mean(foreground));
}

}  // namespace

CrossEntropy::CrossEntropy(const CrossEntropyParameters& parameters, const ModelContext& context)
    : parameters_(parameters) {
  const std::vector<double>& weights = parameters_.class_weights;
  if (weights.empty()) return;
  const auto num_labels = static_cast<std::size_t>(context.num_classes() + 1);
  if (weights.size() != num_labels) {
    throw UserError("class_weights", "there is not one class weight a label: `" + std::to_string(weights.size()) + "`",
                    "`" + std::to_string(num_labels) + "` numbers, the background's first; or none");
  }
  if (std::ranges::none_of(weights, [](double weight) { return weight > 0; })) {
    throw UserError("class_weights", "no class weight is above 0", "at least one");
  }
  if (parameters_.balance != "none") {
    throw UserError("class_weights", "classes are weighed twice: by `class_weights` and by `balance`", "one of them");
  }
}

at::Tensor CrossEntropy::compute(const LossRequest& request) {
  const LabelledPixels pixels = labelled_pixels(request, parameters_.align_corners);
  at::Tensor class_weights;
  if (!parameters_.class_weights.empty()) {
    class_weights = at::tensor(parameters_.class_weights, at::kDouble)
                        .to(pixels.logits_nkhw.device(), pixels.logits_nkhw.scalar_type());
  }
  at::Tensor values = pixel_surprise(pixels, parameters_.label_smoothing, class_weights);
  if (pixels.weights_nhw.defined()) values = values * pixels.weights_nhw;
  if (parameters_.balance == "classes") return mean_of_label_means(values, pixels);
  if (parameters_.balance == "halves") return mean_of_halves(values, pixels, parameters_.count_epsilon);
  if (!class_weights.defined()) return mean_where(values, pixels.counts_nhw);
  const at::Tensor total = weights_of_labels(pixels, class_weights).sum();
  // Where no label of a weight above 0 is there, the values are 0 already.
  return values.sum() / total.masked_fill(total.eq(0), 1);
}

}  // namespace seedbed::cross_entropy
