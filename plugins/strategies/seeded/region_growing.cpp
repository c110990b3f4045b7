#include "region_growing.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

namespace seedbed::seeded {
namespace {

constexpr std::int64_t kNobody = -1;

/// One image: planes of h x w pixels, row by row.
class Growing {
 public:
  Growing(float* seeds, const bool* present, const float* probabilities, std::int64_t num_labels, std::int64_t height,
          std::int64_t width, const GrowingRule& rule)
      : seeds_(seeds),
        present_(present),
        probabilities_(probabilities),
        num_labels_(num_labels),
        height_(height),
        width_(width),
        rule_(rule),
        labels_(static_cast<std::size_t>(height * width)) {
    for (std::int64_t i = 0; i < height * width; ++i) labels_[static_cast<std::size_t>(i)] = label_of(i);
  }

  void run() {
    for (std::int64_t label = 0; label < num_labels_; ++label) {
      if (present_[label]) grow(label);
    }
  }

 private:
  float& seed(std::int64_t label, std::int64_t pixel) const { return seeds_[label * height_ * width_ + pixel]; }
  float probability(std::int64_t label, std::int64_t pixel) const {
    return probabilities_[label * height_ * width_ + pixel];
  }

  std::int64_t sure_label(std::int64_t pixel) const {
    std::int64_t best = kNobody;
    for (std::int64_t label = 0; label < num_labels_; ++label) {
      if (present_[label] && (best == kNobody || probability(label, pixel) > probability(best, pixel))) best = label;
    }
    if (best == kNobody || !(probability(best, pixel) > rule_.foreground)) return kNobody;
    return best == 0 && !(probability(best, pixel) > rule_.background) ? kNobody : best;
  }

  std::int64_t seeded_label(std::int64_t pixel) const {
    for (std::int64_t label = num_labels_ - 1; label >= 0; --label) {
      if (seed(label, pixel) != 0) return label;
    }
    return kNobody;
  }

  std::int64_t label_of(std::int64_t pixel) const {
    const std::int64_t sure = sure_label(pixel), seeded = seeded_label(pixel);
    if (rule_.seeds_win) return seeded != kNobody ? seeded : sure;
    return sure != kNobody ? sure : seeded;
  }

  bool holds_one_of_another(std::int64_t label, std::int64_t pixel) const {
    std::int64_t held = 0;
    for (std::int64_t other = 0; other < num_labels_; ++other) held += seed(other, pixel) != 0;
    return held == 1 && seed(label, pixel) == 0;
  }

  void grow(std::int64_t label) {
    std::vector<char> reached(labels_.size(), 0);
    std::vector<std::int64_t> front;
    const auto reach = [&](std::int64_t pixel) {
      const auto at = static_cast<std::size_t>(pixel);
      if (labels_[at] != label || reached[at]) return;
      reached[at] = 1;
      front.push_back(pixel);
    };
    for (std::int64_t pixel = 0; pixel < height_ * width_; ++pixel) {
      if (seed(label, pixel) != 0) reach(pixel);
    }
    while (!front.empty()) {
      const std::int64_t y = front.back() / width_, x = front.back() % width_;
      front.pop_back();
      for (std::int64_t v = std::max<std::int64_t>(0, y - 1); v <= std::min(height_ - 1, y + 1); ++v) {
        for (std::int64_t u = std::max<std::int64_t>(0, x - 1); u <= std::min(width_ - 1, x + 1); ++u) {
          reach(v * width_ + u);
        }
      }
    }
    for (std::int64_t pixel = 0; pixel < height_ * width_; ++pixel) {
      if (reached[static_cast<std::size_t>(pixel)] && !holds_one_of_another(label, pixel)) seed(label, pixel) = 1;
    }
  }

  float* seeds_;
  const bool* present_;
  const float* probabilities_;
  std::int64_t num_labels_, height_, width_;
  const GrowingRule& rule_;
  std::vector<std::int64_t> labels_;
};

}  // namespace

at::Tensor grown_seeds(const at::Tensor& seeds_nkhw, const at::Tensor& present_nk, const at::Tensor& probabilities_nkhw,
                       const GrowingRule& rule) {
  const at::Tensor seeds = seeds_nkhw.ne(0).to(at::kFloat).contiguous();
  const at::Tensor present = present_nk.to(at::kBool).contiguous();
  const at::Tensor probabilities = probabilities_nkhw.detach().to(at::kFloat).contiguous();
  const std::int64_t num_labels = seeds.size(1), height = seeds.size(2), width = seeds.size(3);
  const std::int64_t size = num_labels * height * width;
  float* const seed_data = seeds.data_ptr<float>();
  const bool* const present_data = present.data_ptr<bool>();
  const float* const probability_data = probabilities.data_ptr<float>();
  at::parallel_for(0, seeds.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      Growing(seed_data + n * size, present_data + n * num_labels, probability_data + n * size, num_labels, height,
              width, rule)
          .run();
    }
  });
  return seeds;
}

}  // namespace seedbed::seeded
