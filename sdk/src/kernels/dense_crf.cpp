#include "seedbed/kernels/dense_crf.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "lattice.hpp"
#include "plane_blocks.hpp"
#include "row_softmax.hpp"
#include "seedbed/error.hpp"
#include "seedbed/kernels/permutohedral.hpp"

namespace seedbed::kernels {
namespace {

const char* const kWho = "dense CRF";

/// One pairwise term: a normalised lattice, or the features and normaliser of the exact sums.
struct Term {
  double weight;
  std::shared_ptr<const Lattice> lattice;
  at::Tensor features_nd;
  at::Tensor normaliser_n;
};

/// sum_j exp(-|f_i - f_j|^2 / 2) v_j of every row i, v [n,K].
at::Tensor exact_sums(const at::Tensor& features_nd, const at::Tensor& values_nk) {
  constexpr std::int64_t kBlockBytes = 16 << 20;  // two of them at a time: distances and their exponentials
  const std::int64_t rows = features_nd.size(0);
  const std::int64_t step = std::max<std::int64_t>(1, kBlockBytes / (rows * static_cast<std::int64_t>(sizeof(float))));
  std::vector<at::Tensor> sums;
  for (std::int64_t first = 0; first < rows; first += step) {
    const at::Tensor block = features_nd.slice(0, first, std::min(rows, first + step));
    // Mode 2: differences, not products, whose cancellation would be felt in the exponent.
    sums.push_back(at::matmul(at::cdist(block, features_nd, 2.0, 2).square_().mul_(-0.5).exp_(), values_nk));
  }
  return at::cat(sums);
}

Term make_term(const at::Tensor& features, double weight, CrfFilter filter) {
  Term term{.weight = weight, .lattice = nullptr, .features_nd = {}, .normaliser_n = {}};
  if (filter == CrfFilter::lattice) {
    auto lattice = std::make_shared<Lattice>(features.const_data_ptr<float>(), features.size(0), features.size(1));
    lattice->normalise();
    term.lattice = std::move(lattice);
  } else {
    term.features_nd = features;
    term.normaliser_n = exact_sums(features, at::ones({features.size(0), 1})).add_(1e-20).rsqrt_();
  }
  return term;
}

void require(bool holds, const char* promise, const char* expected, const char* found) {
  if (!holds) throw ContractError(kWho, promise, expected, found);
}

void check_options(const at::Tensor& image, const DenseCrfOptions& options) {
  require(image.defined() && image.dim() == 3 && image.size(2) == 3 && image.numel() > 0 &&
              (image.scalar_type() == at::kByte || image.scalar_type() == at::kFloat),
          "the image is [H,W,3] of uint8 or float32", "[H,W,3]", "another tensor");
  require(options.gauss_sigma > 0.0 && options.bilateral_xy > 0.0 && options.bilateral_rgb > 0.0,
          "standard deviations are above 0", "above 0", "0 or less");
  require(options.gauss_weight >= 0.0 && options.bilateral_weight >= 0.0, "weights are not negative", "0 or more",
          "a negative one");
}

at::Tensor infer_exactly(const std::vector<Term>& terms, const at::Tensor& unary_kn, std::int64_t iterations) {
  const at::Tensor negative = -unary_kn.t();
  at::Tensor marginals = at::softmax(negative, 1);
  for (std::int64_t i = 0; i < iterations; ++i) {
    at::Tensor logits = negative.clone();
    for (const Term& term : terms) {
      logits += term.weight * term.normaliser_n * exact_sums(term.features_nd, marginals * term.normaliser_n);
    }
    marginals = at::softmax(logits, 1);
  }
  return marginals.t();
}

/// Labels in blocks of lanes, one after the other: block b at `rows * 16 b`.
class LabelBlocks {
 public:
  LabelBlocks(std::int64_t rows, std::int64_t labels)
      : rows_(rows), labels_(labels), values_(at::empty({rows * blocks_width(labels)}, at::kFloat)) {}

  std::int64_t count() const { return (labels_ + 15) / 16; }
  std::int64_t labels_in(std::int64_t b) const { return std::min<std::int64_t>(16, labels_ - b * 16); }
  std::int64_t width(std::int64_t b) const { return block_width(labels_in(b)); }
  float* block(std::int64_t b) { return values_.mutable_data_ptr<float>() + rows_ * 16 * b; }

 private:
  std::int64_t rows_, labels_;
  at::Tensor values_;
};

at::Tensor infer_on_lattices(const std::vector<Term>& terms, const at::Tensor& unary_kn, std::int64_t iterations) {
  const std::int64_t labels = unary_kn.size(0), rows = unary_kn.size(1);
  LabelBlocks negative(rows, labels), marginals(rows, labels);
  const float* unary = unary_kn.const_data_ptr<float>();
  for (std::int64_t b = 0; b < negative.count(); ++b) {
    interleave(unary + b * 16 * rows, rows, negative.labels_in(b), -1.0f, kNoLabel, negative.block(b));
    std::memcpy(marginals.block(b), negative.block(b),
                static_cast<std::size_t>(rows * negative.width(b)) * sizeof(float));
  }
  row_softmax(marginals.block(0), rows, labels);

  std::vector<at::Tensor> buffers;
  for (const Term& term : terms) {
    buffers.push_back(at::empty({term.lattice->points() * marginals.width(0)}, at::kFloat));
  }
  for (std::int64_t i = 0; i < iterations; ++i) {
    for (std::int64_t b = 0; b < marginals.count(); ++b) {
      const std::int64_t width = marginals.width(b);
      for (std::size_t t = 0; t < terms.size(); ++t) {
        float* at_points = buffers[t].mutable_data_ptr<float>();
        terms[t].lattice->splat(marginals.block(b), width, at_points);
        terms[t].lattice->blur(at_points, width, BlurOrder::forward);
      }
      // The block's marginals are on the lattices by now: their place takes the new logits.
      const float* base = negative.block(b);
      for (std::size_t t = 0; t < terms.size(); ++t) {
        const Lattice& lattice = *terms[t].lattice;
        const float factor = static_cast<float>(terms[t].weight) * lattice.blur_scale();
        lattice.slice(buffers[t].const_data_ptr<float>(), width, base, factor, marginals.block(b));
        base = marginals.block(b);
      }
    }
    row_softmax(marginals.block(0), rows, labels);
  }

  at::Tensor result = at::empty_like(unary_kn);
  for (std::int64_t b = 0; b < marginals.count(); ++b) {
    separate(marginals.block(b), rows, marginals.labels_in(b), result.mutable_data_ptr<float>() + b * 16 * rows);
  }
  return result;
}

}  // namespace

struct DenseCrf::Terms {
  std::int64_t height, width;
  CrfFilter filter;
  std::vector<Term> terms;
};

DenseCrf::DenseCrf(const at::Tensor& image_hwc, const DenseCrfOptions& options) {
  const c10::NoGradGuard no_grad;
  check_options(image_hwc, options);
  const std::int64_t height = image_hwc.size(0), width = image_hwc.size(1);
  Terms terms{height, width, options.filter, {}};
  if (options.gauss_weight > 0.0) {
    terms.terms.push_back(
        make_term(spatial_features(height, width, options.gauss_sigma), options.gauss_weight, options.filter));
  }
  if (options.bilateral_weight > 0.0) {
    terms.terms.push_back(make_term(bilateral_features(image_hwc, options.bilateral_xy, options.bilateral_rgb),
                                    options.bilateral_weight, options.filter));
  }
  terms_ = std::make_shared<const Terms>(std::move(terms));
}

at::Tensor DenseCrf::infer(const at::Tensor& unary_khw, std::int64_t iterations) const {
  const c10::NoGradGuard no_grad;
  require(unary_khw.defined() && unary_khw.dim() == 3 && unary_khw.size(0) > 0 && unary_khw.size(1) == terms_->height &&
              unary_khw.size(2) == terms_->width && unary_khw.scalar_type() == at::kFloat,
          "the unary agrees with the image", "[K,H,W] float32", "another tensor");
  require(iterations >= 0, "iterations are not negative", "0 or more", "a negative number");
  const at::Tensor unary_kn = unary_khw.cpu().contiguous().flatten(1);
  // Without a pairwise term nothing changes after the first softmax.
  const std::int64_t rounds = terms_->terms.empty() ? 0 : iterations;
  const at::Tensor marginals = terms_->filter == CrfFilter::exact ? infer_exactly(terms_->terms, unary_kn, rounds)
                                                                  : infer_on_lattices(terms_->terms, unary_kn, rounds);
  return marginals.reshape(unary_khw.sizes()).contiguous().to(unary_khw.device());
}

at::Tensor probability_unary(const at::Tensor& probabilities) { return probabilities.clamp(1e-5, 1.0).log().neg(); }

at::Tensor label_unary(const at::Tensor& labels_hw, std::int64_t num_labels, double confidence) {
  require(labels_hw.defined() && labels_hw.dim() == 2 && !labels_hw.is_floating_point(), "labels are a map of integers",
          "[H,W]", "another tensor");
  require(num_labels >= 1, "there is a label", "at least 1", "none");
  require(confidence > 0.0 && confidence < 1.0, "the confidence is a probability", "in (0, 1)", "another number");
  at::Tensor unary =
      at::zeros({num_labels, labels_hw.size(0), labels_hw.size(1)}, labels_hw.options().dtype(at::kFloat));
  if (num_labels == 1) return unary;
  const double own = -std::log(confidence);
  const double other = -std::log((1.0 - confidence) / static_cast<double>(num_labels - 1));
  const at::Tensor labels = labels_hw.to(at::kLong);
  const at::Tensor known = labels.ge(0).logical_and(labels.lt(num_labels));
  for (std::int64_t k = 0; k < num_labels; ++k) {
    unary[k].masked_fill_(known, other);
    unary[k].masked_fill_(labels.eq(k), own);
  }
  return unary;
}

at::Tensor bgr_mean_wrapped(const at::Tensor& image_hwc) {
  require(image_hwc.defined() && image_hwc.dim() == 3 && image_hwc.size(2) == 3 && image_hwc.scalar_type() == at::kByte,
          "the image is [H,W,3] uint8", "[H,W,3] uint8", "another tensor");
  const at::Tensor mean = at::tensor({104.008, 116.669, 122.675}, image_hwc.options().dtype(at::kFloat));
  // To an integer first: turning a negative float into an unsigned byte is undefined.
  return (image_hwc.flip(2).to(at::kFloat) - mean).trunc().to(at::kInt).bitwise_and(255).to(at::kByte);
}

}  // namespace seedbed::kernels
