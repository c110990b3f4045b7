#include "lab_image.hpp"

#include <ATen/ATen.h>
#include <opencv2/imgproc.hpp>

namespace seedbed::superpixel {

cv::Mat lab_image(const at::Tensor& image_hwc) {
  const at::Tensor bytes = image_hwc.to(at::kCPU).contiguous();
  const cv::Mat rgb(static_cast<int>(bytes.size(0)), static_cast<int>(bytes.size(1)), CV_8UC3,
                    bytes.data_ptr<std::uint8_t>());
  cv::Mat unit, lab;
  rgb.convertTo(unit, CV_32FC3, 1.0 / 255.0);
  cv::cvtColor(unit, lab, cv::COLOR_RGB2Lab);
  return lab;
}

}  // namespace seedbed::superpixel
