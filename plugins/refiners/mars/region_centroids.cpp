#include "region_centroids.hpp"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>
#include <opencv2/core.hpp>

#include "seedbed/types.hpp"

namespace seedbed::mars {
namespace {

constexpr int kIterations = 10, kAttempts = 3;
constexpr double kStill = 1e-4;  // movement of the centres at which an attempt ends
constexpr double kShortest = 1e-12;
constexpr int kSeed = 0;

// Seeds OpenCV's generator of this thread for a scope.
class SeededGenerator {
 public:
  SeededGenerator() : before_(cv::theRNG()) { cv::setRNGSeed(kSeed); }
  ~SeededGenerator() { cv::theRNG() = before_; }
  SeededGenerator(const SeededGenerator&) = delete;
  SeededGenerator& operator=(const SeededGenerator&) = delete;

 private:
  cv::RNG before_;
};

at::Tensor labels_of_cells(const at::Tensor& labels_hw, std::int64_t height, std::int64_t width) {
  const auto centres = [](std::int64_t cells, std::int64_t size) {
    const at::Tensor centre =
        (at::arange(cells, at::kDouble) + 0.5) * (static_cast<double>(size) / static_cast<double>(cells));
    return centre.floor().to(at::kLong).clamp_max(size - 1);
  };
  const at::Tensor labels = labels_hw.to(at::kCPU, at::kLong);
  return labels.index_select(0, centres(height, labels.size(0))).index_select(1, centres(width, labels.size(1)));
}

// Which cluster each row [n,D] belongs to, [n] int64.
at::Tensor clusters_of(const at::Tensor& rows_nd, std::int64_t num_clusters) {
  const at::Tensor rows = rows_nd.contiguous();
  const cv::Mat data(static_cast<int>(rows.size(0)), static_cast<int>(rows.size(1)), CV_32FC1, rows.data_ptr<float>());
  at::Tensor clusters = at::zeros({rows.size(0)}, at::kInt);
  cv::Mat assigned(static_cast<int>(rows.size(0)), 1, CV_32SC1, clusters.data_ptr<std::int32_t>());
  const SeededGenerator seeded;
  cv::kmeans(data, static_cast<int>(num_clusters), assigned,
             {cv::TermCriteria::COUNT + cv::TermCriteria::EPS, kIterations, kStill}, kAttempts, cv::KMEANS_PP_CENTERS);
  return clusters.to(at::kLong);
}

void add_centroids(const at::Tensor& cells_nd, std::int64_t label, std::int64_t num_clusters, bool unit_features,
                   std::vector<at::Tensor>& rows) {
  num_clusters = std::min(num_clusters, cells_nd.size(0));
  const at::Tensor clustered =
      unit_features ? cells_nd / cells_nd.norm(2, {1}, /*keepdim=*/true).clamp_min(kShortest) : cells_nd;
  const at::Tensor clusters = clusters_of(clustered, num_clusters);
  for (std::int64_t k = 0; k < num_clusters; ++k) {
    const at::Tensor members = clusters.eq(k).nonzero().flatten();
    rows.push_back(at::cat({at::full({1}, static_cast<double>(label)), cells_nd.index_select(0, members).mean(0)}));
  }
}

}  // namespace

at::Tensor region_centroids(const at::Tensor& features_dhw, const at::Tensor& labels_hw,
                            const ClusterOptions& options) {
  const at::Tensor features = features_dhw.to(at::kCPU, at::kFloat);
  const at::Tensor labels = labels_of_cells(labels_hw, features.size(1), features.size(2)).flatten();
  const at::Tensor cells_nd = features.flatten(1).t();
  const at::Tensor counts = at::bincount(labels, {}, kIgnoreLabel + 1);
  std::vector<at::Tensor> rows;
  for (std::int64_t label = 0; label < kUndecidedLabel; ++label) {
    if (counts[label].item<std::int64_t>() == 0) continue;
    const std::int64_t clusters = label == kBackgroundLabel ? options.background_clusters : options.foreground_clusters;
    const at::Tensor own = labels.eq(label).nonzero().flatten();
    add_centroids(cells_nd.index_select(0, own), label, clusters, options.unit_features, rows);
  }
  return rows.empty() ? at::zeros({0, 1 + features.size(0)}) : at::stack(rows);
}

}  // namespace seedbed::mars
