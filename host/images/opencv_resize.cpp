#include "images/opencv_resize.hpp"

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <ATen/ATen.h>

namespace seedbed::images {

at::Tensor resize_image_as_opencv(const at::Tensor& image_hwc, dataset::Extent extent) {
  const at::Tensor from = image_hwc.contiguous();
  at::Tensor to = at::empty({extent.height_px, extent.width_px, 3}, at::kByte);
  const auto mat = [](void* bytes, const at::Tensor& image) {
    return cv::Mat(static_cast<int>(image.size(0)), static_cast<int>(image.size(1)), CV_8UC3, bytes);
  };
  // OpenCV's matrices know no const; the source is only read.
  const cv::Mat source = mat(const_cast<void*>(from.const_data_ptr()), from);
  cv::Mat target = mat(to.mutable_data_ptr(), to);
  cv::resize(source, target, target.size(), 0, 0, cv::INTER_LINEAR);
  return to;
}

}  // namespace seedbed::images
