#include "slic.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "lab_image.hpp"

namespace seedbed::superpixel {
namespace {

struct Cluster {
  cv::Vec3f colour;
  float y = 0;
  float x = 0;
};

float squared_distance(const cv::Vec3f& a, const cv::Vec3f& b) {
  const cv::Vec3f difference = a - b;
  return difference.dot(difference);
}

// The squared change of colour across a pixel; borders repeat.
float gradient(const cv::Mat& lab, int y, int x) {
  const auto colour = [&](int row, int column) {
    return lab.at<cv::Vec3f>(std::clamp(row, 0, lab.rows - 1), std::clamp(column, 0, lab.cols - 1));
  };
  return squared_distance(colour(y, x + 1), colour(y, x - 1)) + squared_distance(colour(y + 1, x), colour(y - 1, x));
}

// The pixel of lowest gradient among the 3x3 around a start, so that no cluster begins on an edge.
Cluster cluster_near(const cv::Mat& lab, int y, int x) {
  int best_y = y, best_x = x;
  for (int row = std::max(0, y - 1); row <= std::min(lab.rows - 1, y + 1); ++row) {
    for (int column = std::max(0, x - 1); column <= std::min(lab.cols - 1, x + 1); ++column) {
      if (gradient(lab, row, column) < gradient(lab, best_y, best_x)) {
        best_y = row;
        best_x = column;
      }
    }
  }
  return {lab.at<cv::Vec3f>(best_y, best_x), static_cast<float>(best_y), static_cast<float>(best_x)};
}

class Clustering {
 public:
  Clustering(cv::Mat lab, const SlicOptions& options);

  void iterate() {
    assign();
    update();
  }
  RegionMap connected() const;

 private:
  void assign();
  void assign_to(std::int32_t number);
  void update();

  cv::Mat lab_;
  double step_;
  float place_weight_;
  std::vector<Cluster> clusters_;
  std::vector<std::int32_t> numbers_;
  std::vector<float> distances_;
};

Clustering::Clustering(cv::Mat lab, const SlicOptions& options)
    : lab_(std::move(lab)), numbers_(lab_.total(), 0), distances_(lab_.total()) {
  step_ = std::max(1.0, std::sqrt(static_cast<double>(lab_.total()) / static_cast<double>(options.num_segments)));
  place_weight_ = static_cast<float>((options.compactness / step_) * (options.compactness / step_));
  const int rows = std::max(1, static_cast<int>(std::lround(lab_.rows / step_)));
  const int columns = std::max(1, static_cast<int>(std::lround(lab_.cols / step_)));
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) {
      const int y = (2 * i + 1) * lab_.rows / (2 * rows), x = (2 * j + 1) * lab_.cols / (2 * columns);
      clusters_.push_back(cluster_near(lab_, y, x));
    }
  }
}

void Clustering::assign() {
  std::ranges::fill(distances_, std::numeric_limits<float>::max());
  for (std::size_t i = 0; i < clusters_.size(); ++i) assign_to(static_cast<std::int32_t>(i));
}

void Clustering::assign_to(std::int32_t number) {
  const Cluster& cluster = clusters_[static_cast<std::size_t>(number)];
  const int reach = static_cast<int>(std::ceil(step_));
  const int y = static_cast<int>(cluster.y), x = static_cast<int>(cluster.x);
  const int left = std::max(0, x - reach), right = std::min(lab_.cols - 1, x + reach);
  for (int row = std::max(0, y - reach); row <= std::min(lab_.rows - 1, y + reach); ++row) {
    const auto* colours = lab_.ptr<cv::Vec3f>(row);
    const float dy = static_cast<float>(row) - cluster.y;
    const std::size_t first = static_cast<std::size_t>(row) * static_cast<std::size_t>(lab_.cols);
    for (int column = left; column <= right; ++column) {
      const float dx = static_cast<float>(column) - cluster.x;
      const float distance = squared_distance(colours[column], cluster.colour) + place_weight_ * (dy * dy + dx * dx);
      const std::size_t pixel = first + static_cast<std::size_t>(column);
      if (distance >= distances_[pixel]) continue;
      distances_[pixel] = distance;
      numbers_[pixel] = number;
    }
  }
}

void Clustering::update() {
  struct Sum {
    cv::Vec3d colour{0, 0, 0};
    double y = 0, x = 0, count = 0;
  };
  std::vector<Sum> sums(clusters_.size());
  std::size_t pixel = 0;
  for (int row = 0; row < lab_.rows; ++row) {
    const auto* colours = lab_.ptr<cv::Vec3f>(row);
    for (int column = 0; column < lab_.cols; ++column, ++pixel) {
      Sum& sum = sums[static_cast<std::size_t>(numbers_[pixel])];
      sum.colour += cv::Vec3d(colours[column]);
      sum.y += row;
      sum.x += column;
      sum.count += 1;
    }
  }
  for (std::size_t i = 0; i < sums.size(); ++i) {
    if (sums[i].count == 0) continue;  // nobody's nearest any more: it stays where it is
    clusters_[i] = {cv::Vec3f(sums[i].colour / sums[i].count), static_cast<float>(sums[i].y / sums[i].count),
                    static_cast<float>(sums[i].x / sums[i].count)};
  }
}

/// Finds connected pieces of equal numbers, one after the other in reading order.
class Pieces {
 public:
  Pieces(const std::vector<std::int32_t>& numbers, std::int64_t height, std::int64_t width)
      : numbers_(numbers), height_(height), width_(width), pieces_(numbers.size(), -1) {}

  bool is_taken(std::int64_t pixel) const { return piece(pixel) >= 0; }
  std::int32_t piece(std::int64_t pixel) const { return pieces_[static_cast<std::size_t>(pixel)]; }

  // A piece that was found before and lies left of or above `pixel`, or -1.
  std::int32_t piece_beside(std::int64_t pixel) const {
    if (pixel % width_ > 0) return piece(pixel - 1);
    return pixel >= width_ ? piece(pixel - width_) : -1;
  }

  // Gives the whole piece around `pixel` the number `piece`; its pixels are what take() returns.
  const std::vector<std::int64_t>& take(std::int64_t pixel, std::int32_t piece) {
    members_.assign(1, pixel);
    pieces_[static_cast<std::size_t>(pixel)] = piece;
    for (std::size_t next = 0; next < members_.size(); ++next) {
      const std::int64_t at = members_[next], column = at % width_;
      if (column > 0) add(at, at - 1, piece);
      if (column + 1 < width_) add(at, at + 1, piece);
      if (at >= width_) add(at, at - width_, piece);
      if (at + width_ < height_ * width_) add(at, at + width_, piece);
    }
    return members_;
  }

  void give(const std::vector<std::int64_t>& members, std::int32_t piece) {
    for (const std::int64_t member : members) pieces_[static_cast<std::size_t>(member)] = piece;
  }

  std::vector<std::int32_t> numbers() && { return std::move(pieces_); }

 private:
  void add(std::int64_t from, std::int64_t to, std::int32_t piece) {
    std::int32_t& taken = pieces_[static_cast<std::size_t>(to)];
    if (taken >= 0 || numbers_[static_cast<std::size_t>(to)] != numbers_[static_cast<std::size_t>(from)]) return;
    taken = piece;
    members_.push_back(to);
  }

  const std::vector<std::int32_t>& numbers_;
  std::int64_t height_, width_;
  std::vector<std::int32_t> pieces_;
  std::vector<std::int64_t> members_;
};

RegionMap Clustering::connected() const {
  Pieces pieces(numbers_, lab_.rows, lab_.cols);
  const auto smallest = static_cast<std::size_t>(step_ * step_ / 4);
  std::int32_t count = 0;
  for (std::int64_t pixel = 0; pixel < static_cast<std::int64_t>(lab_.total()); ++pixel) {
    if (pieces.is_taken(pixel)) continue;
    const std::int32_t beside = pieces.piece_beside(pixel);
    const std::vector<std::int64_t>& members = pieces.take(pixel, count);
    if (members.size() < smallest && beside >= 0) {
      pieces.give(members, beside);
    } else {
      ++count;
    }
  }
  return renumbered(lab_.rows, lab_.cols, std::move(pieces).numbers());
}

}  // namespace

RegionMap slic(const at::Tensor& image_hwc, const SlicOptions& options) {
  Clustering clustering(lab_image(image_hwc), options);
  for (std::int64_t i = 0; i < options.iterations; ++i) clustering.iterate();
  return clustering.connected();
}

}  // namespace seedbed::superpixel
