#include "graph_segmentation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

#include <ATen/ATen.h>
#include <opencv2/imgproc.hpp>

#include "disjoint_sets.hpp"

namespace seedbed::superpixel {
namespace {

struct Edge {
  float weight;
  std::int32_t a, b;
};

cv::Mat smoothed(const at::Tensor& image_hwc, double sigma) {
  const at::Tensor bytes = image_hwc.to(at::kCPU).contiguous();
  const cv::Mat rgb(static_cast<int>(bytes.size(0)), static_cast<int>(bytes.size(1)), CV_8UC3,
                    bytes.data_ptr<std::uint8_t>());
  cv::Mat image;
  rgb.convertTo(image, CV_32FC3);
  if (sigma > 0) cv::GaussianBlur(image, image, {}, sigma);
  return image;
}

// All pairs of neighbours, the most similar first; of equally similar ones the first in reading order.
std::vector<Edge> sorted_edges(const cv::Mat& image) {
  std::vector<Edge> edges;
  edges.reserve(image.total() * 4);
  const auto add = [&](int y, int x, int other_y, int other_x) {
    if (other_y >= image.rows || other_x < 0 || other_x >= image.cols) return;
    const cv::Vec3f difference = image.at<cv::Vec3f>(y, x) - image.at<cv::Vec3f>(other_y, other_x);
    edges.push_back({std::sqrt(difference.dot(difference)), y * image.cols + x, other_y * image.cols + other_x});
  };
  for (int y = 0; y < image.rows; ++y) {
    for (int x = 0; x < image.cols; ++x) {
      add(y, x, y, x + 1);
      add(y, x, y + 1, x - 1);
      add(y, x, y + 1, x);
      add(y, x, y + 1, x + 1);
    }
  }
  std::ranges::sort(edges, {}, [](const Edge& edge) { return std::tuple(edge.weight, edge.a, edge.b); });
  return edges;
}

}  // namespace

RegionMap graph_segmentation(const at::Tensor& image_hwc, const GraphSegmentationOptions& options) {
  const cv::Mat image = smoothed(image_hwc, options.sigma);
  const std::vector<Edge> edges = sorted_edges(image);
  DisjointSets regions(image.total());
  // What a region tolerates: the largest distance inside it, plus k / its size.
  std::vector<double> tolerance(image.total(), options.scale);
  for (const Edge& edge : edges) {
    const std::int32_t a = regions.root(edge.a), b = regions.root(edge.b);
    const double tolerated = std::min(tolerance[static_cast<std::size_t>(a)], tolerance[static_cast<std::size_t>(b)]);
    if (a == b || edge.weight > tolerated) continue;
    const std::int32_t root = regions.unite(a, b);
    tolerance[static_cast<std::size_t>(root)] =
        edge.weight + options.scale / static_cast<double>(regions.size_of(root));
  }
  for (const Edge& edge : edges) {
    const std::int32_t a = regions.root(edge.a), b = regions.root(edge.b);
    if (a != b && std::min(regions.size_of(a), regions.size_of(b)) < options.min_size) regions.unite(a, b);
  }
  std::vector<std::int32_t> numbers(image.total());
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = regions.root(static_cast<std::int32_t>(i));
  return renumbered(image.rows, image.cols, std::move(numbers));
}

}  // namespace seedbed::superpixel
