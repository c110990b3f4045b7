// SEAM: the pixel correlation module and the loss terms.
#include <ATen/ATen.h>

#include "pixel_correlation.hpp"
#include "runners.hpp"
#include "seam_losses.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::testing {
namespace {

NamedTensors losses(const Golden& golden) {
  const auto leaf = [&](const char* name) { return golden.input(name).clone().set_requires_grad(true); };
  const at::Tensor cam1 = leaf("cam1"), refined1 = leaf("cam_rv1"), cam2 = leaf("cam2"), refined2 = leaf("cam_rv2");
  const at::Tensor present = golden.input("label").gt(0.5);
  const double keep = golden.number("ecr_keep");
  const auto small = [&](const at::Tensor& maps) {
    return seam::comparable(maps, present, cam2.size(2), cam2.size(3));
  };
  NamedTensors found{
      {"loss_cls1", seam::classification_loss(cam1, present)},
      {"loss_cls2", seam::classification_loss(cam2, present)},
      {"loss_rvmin1", seam::minimum_pooling_loss(refined1, present, 0.25)},
      {"loss_rvmin2", seam::minimum_pooling_loss(refined2, present, 0.25)},
      {"loss_er", seam::equivariance_loss(small(cam1), small(cam2))},
      {"loss_ecr1", seam::cross_refinement_loss(small(refined1), small(cam2), keep)},
      {"loss_ecr2", seam::cross_refinement_loss(small(refined2), small(cam1), keep)},
  };
  found["loss"] = (found["loss_cls1"] + found["loss_cls2"] + found["loss_rvmin1"] + found["loss_rvmin2"]) / 2 +
                  found["loss_er"] + found["loss_ecr1"] + found["loss_ecr2"];
  found["loss"].backward();
  for (auto& [name, value] : found) value = value.detach().view({1});
  found["dcam1"] = cam1.grad();
  found["dcam2"] = cam2.grad();
  found["dcam_rv1"] = refined1.grad();
  found["dcam_rv2"] = refined2.grad();
  return found;
}

NamedTensors pixel_correlation(const Golden& golden) {
  const at::Tensor image = golden.input("image");
  const at::Tensor maps = at::conv2d(golden.input("conv6"), golden.weight("fc8.weight", {21, 16, 1, 1}));
  const auto reduced = [&](const char* input, const char* layer, at::IntArrayRef shape) {
    return at::conv2d(golden.input(input), golden.weight(layer, shape)).relu();
  };
  const at::Tensor context =
      at::cat({kernels::resize_maps(image, maps.size(2), maps.size(3), true),
               reduced("conv4", "f8_3.weight", {5, 8, 1, 1}), reduced("conv5", "f8_4.weight", {6, 10, 1, 1})},
              1);
  const at::Tensor features = at::conv2d(context, golden.weight("f9.weight", {12, 14, 1, 1}));
  const at::Tensor refined = seam::correlate(seam::spreadable(maps), features);
  const auto at_image = [&](const at::Tensor& low) {
    const at::Tensor high = kernels::resize_maps(low, image.size(2), image.size(3), true);
    return high.slice(2, 0, high.size(2), 4).slice(3, 0, high.size(3), 4);
  };
  return {{"cam_low", maps}, {"cam_at_image", at_image(maps)}, {"cam_rv_at_image", at_image(refined)}};
}

}  // namespace

std::vector<GoldenRunner> seam_runners() {
  return {
      {"seam", "inline code, adaptive_min_pooling_loss, max_onehot, max_norm", "", losses},
      {"seam", "Net.forward, Net.PCM", "", pixel_correlation},
  };
}

}  // namespace seedbed::testing
