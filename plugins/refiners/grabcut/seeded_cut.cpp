#include "seeded_cut.hpp"

#include <ATen/ATen.h>
#include <opencv2/imgproc.hpp>

#include "class_trimap.hpp"

namespace seedbed::grabcut {
namespace {

constexpr std::int64_t kComponents = 5;  // of OpenCV's mixtures
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

cv::Mat mat_of(const at::Tensor& bytes, int type) {
  return {static_cast<int>(bytes.size(0)), static_cast<int>(bytes.size(1)), type, bytes.data_ptr<std::uint8_t>()};
}

}  // namespace

double neighbour_contrast(const at::Tensor& image_hwc) {
  const at::Tensor image = image_hwc.to(at::kDouble);
  const std::int64_t height = image.size(0), width = image.size(1);
  const auto part = [&](std::int64_t top, std::int64_t left, std::int64_t rows, std::int64_t columns) {
    return image.slice(0, top, top + rows).slice(1, left, left + columns);
  };
  double sum = 0;
  std::int64_t pairs = 0;
  const auto add = [&](const at::Tensor& difference) {
    sum += difference.square().sum().item<double>();
    pairs += difference.size(0) * difference.size(1);
  };
  add(part(0, 1, height, width - 1) - part(0, 0, height, width - 1));
  add(part(1, 0, height - 1, width) - part(0, 0, height - 1, width));
  add(part(1, 1, height - 1, width - 1) - part(0, 0, height - 1, width - 1));
  add(part(1, 0, height - 1, width - 1) - part(0, 1, height - 1, width - 1));
  return pairs == 0 ? 0.0 : sum / static_cast<double>(pairs);
}

bool can_cut(const at::Tensor& image_hwc, const at::Tensor& trimap_hw) {
  const auto objects = is_object(trimap_hw).sum().item<std::int64_t>();
  return objects >= kComponents && trimap_hw.numel() - objects >= kComponents && neighbour_contrast(image_hwc) > 0;
}

at::Tensor seeded_cut(const at::Tensor& image_hwc, const at::Tensor& trimap_hw, std::int64_t iterations) {
  const at::Tensor image = image_hwc.contiguous();
  at::Tensor cut = trimap_hw.clone(at::MemoryFormat::Contiguous);
  cv::Mat mask = mat_of(cut, CV_8UC1), background, object;
  const SeededGenerator seeded;
  cv::grabCut(mat_of(image, CV_8UC3), mask, {}, background, object, static_cast<int>(iterations),
              cv::GC_INIT_WITH_MASK);
  return cut;
}

}  // namespace seedbed::grabcut
