#include "seedbed/kernels/fusion.hpp"

#include <ATen/ATen.h>

#include "runners.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::testing {
namespace {

using kernels::ViewMaps;

View view_of(std::int64_t height, std::int64_t width, double scale, bool flipped) {
  View view;
  view.image_id = "golden";
  view.image_height_px = height;
  view.image_width_px = width;
  view.scale = scale;
  view.flipped = flipped;
  return view;
}

/// The goldens' stand-in for a backbone: two strided convolutions with ReLU, and a classifier without bias.
class Tower {
 public:
  Tower(const Golden& golden, std::int64_t num_classes)
      : weight1_(golden.weight("conv1.weight", {8, 3, 3, 3})),
        bias1_(golden.weight("conv1.bias", {8})),
        weight2_(golden.weight("conv2.weight", {12, 8, 3, 3})),
        bias2_(golden.weight("conv2.bias", {12})),
        classifier_(golden.weight("classifier.weight", {num_classes, 12, 1, 1})) {}

  at::Tensor maps(const at::Tensor& images) const {
    const at::Tensor low = at::conv2d(images, weight1_, bias1_, 4, 1).relu();
    return at::conv2d(at::conv2d(low, weight2_, bias2_, 4, 1).relu(), classifier_);
  }

 private:
  at::Tensor weight1_, bias1_, weight2_, bias2_, classifier_;
};

/// Maps of every image and of its mirror image, by `maps_of`; the first image's size is the result's.
template <typename MapsOf>
std::vector<ViewMaps> scored(const std::vector<at::Tensor>& images, const std::vector<double>& scales,
                             std::int64_t height, std::int64_t width, MapsOf maps_of) {
  std::vector<ViewMaps> views;
  for (std::size_t i = 0; i < images.size(); ++i) {
    for (const bool flipped : {false, true}) {
      const at::Tensor input = flipped ? images[i].flip(3) : images[i];
      views.push_back({maps_of(input)[0], view_of(height, width, scales[i], flipped)});
    }
  }
  return views;
}

/// Without the step that normalises.
FusionPlan unnormalised(FusionPlan plan) {
  std::erase_if(plan.steps, [](const FusionStep& step) { return step.operation == "normalise"; });
  return plan;
}

NamedTensors irn_make_cam(const Golden& golden) {
  const Tower tower(golden, 20);
  const at::Tensor image = golden.input("image"), present = golden.input("label").gt(0.5);
  const std::vector<double> scales = golden.numbers("scales");
  std::vector<at::Tensor> images;
  for (const double scale : scales) {
    const at::Tensor resized = kernels::resize_image_as_pil(
        image, kernels::round_half_even(static_cast<double>(image.size(0)) * scale),
        kernels::round_half_even(static_cast<double>(image.size(1)) * scale), kernels::ResizeFilter::bicubic);
    images.push_back(normalise_images(resized.unsqueeze(0), Normalisation{}));
  }
  const auto views =
      scored(images, scales, image.size(0), image.size(1), [&](const at::Tensor& input) { return tower.maps(input); });
  FusionPlan low = named_fusion_plan("irn");
  for (FusionStep& step : low.steps) {
    if (step.operation == "resize") step.argument = "grid4";
  }
  const at::Tensor keys = present.nonzero().flatten();
  return {{"keys", keys},
          {"cam", kernels::fuse_views(views, low, present).index_select(0, keys)},
          {"high_res", kernels::fuse_views(views, named_fusion_plan("irn"), present).index_select(0, keys)}};
}

/// PSA's and SEAM's inference, which start from resized images. SEAM's network drops the background and returns maps of
/// its input's size.
NamedTensors infer_cam(const Golden& golden, const FusionPlan& plan, bool seam) {
  const Tower tower(golden, seam ? 21 : 20);
  const std::vector<double> scales = golden.numbers("scales"), size = golden.numbers("out_size");
  std::vector<at::Tensor> images;
  for (std::size_t i = 0; i < scales.size(); ++i) images.push_back(golden.input("image_" + std::to_string(i)));
  const auto views = scored(images, scales, static_cast<std::int64_t>(size[0]), static_cast<std::int64_t>(size[1]),
                            [&](const at::Tensor& input) {
                              const at::Tensor maps = tower.maps(input);
                              if (!seam) return maps;
                              return kernels::resize_maps(maps.slice(1, 1), input.size(2), input.size(3), true);
                            });
  const at::Tensor present = golden.input("label").gt(0.5), keys = present.nonzero().flatten();
  return {{"keys", keys},
          {"cam", kernels::fuse_views(views, plan, present).index_select(0, keys)},
          {"sum_cam_present", kernels::fuse_views(views, unnormalised(plan), present).index_select(0, keys)}};
}

NamedTensors normalisers(const Golden& golden) {
  const at::Tensor sum = golden.input("sum_cam");
  return {{"seam_minmax", kernels::normalise_maps(sum, "minmax_released")},
          {"psa_max_of_relu", kernels::normalise_maps(sum.relu(), "max")},
          {"seam_max_norm", kernels::normalise_maps(sum, "minmax")}};
}

NamedTensors drs_normalize(const Golden& golden) {
  const at::Tensor maps = golden.input("map"), present = golden.input("label").gt(0.5);
  const std::vector<double> size = golden.numbers("size");
  std::vector<at::Tensor> fused;
  for (std::int64_t n = 0; n < maps.size(0); ++n) {
    const View view = view_of(static_cast<std::int64_t>(size[0]), static_cast<std::int64_t>(size[1]), 1.0, false);
    fused.push_back(kernels::fuse_views({{maps[n], view}}, named_fusion_plan("drs"), present[n]));
  }
  return {{"cam", at::stack(fused)}};
}

NamedTensors drs_scale_maximum(const Golden& golden) {
  std::vector<ViewMaps> views;
  for (int i = 0; i < 3; ++i) {
    views.push_back({golden.input("cam_" + std::to_string(i)), view_of(7, 9, 1.0 + i, false)});
  }
  const at::Tensor highest = kernels::fuse_views(views, fusion_plan_from({"relu", "merge_scales:max"}), {});
  return {{"maps_u8", (highest * 255).to(at::kByte)}};
}

/// ToCo's and AFA's multi-scale maps; `heads` by the name of their output.
NamedTensors toco_multi_scale(const Golden& golden, const std::vector<std::pair<std::string, std::string>>& heads) {
  const at::Tensor images = golden.input("image");
  const std::int64_t height = images.size(2), width = images.size(3);
  FusionPlan plan = named_fusion_plan("toco");
  std::erase_if(plan.steps, [](const FusionStep& step) { return step.operation == "mask_present"; });
  const std::vector<double> scales = golden.numbers("scales");

  NamedTensors found;
  for (const auto& [output, layer] : heads) {
    const at::Tensor weight = golden.weight(layer + ".weight", {3, 3, 16, 16});
    std::vector<at::Tensor> fused;
    for (std::int64_t n = 0; n < images.size(0); ++n) {
      std::vector<at::Tensor> resized;
      for (const double scale : scales) {
        resized.push_back(kernels::resize_maps(images.slice(0, n, n + 1),
                                               static_cast<std::int64_t>(scale * static_cast<double>(height)),
                                               static_cast<std::int64_t>(scale * static_cast<double>(width)), false));
      }
      const auto views = scored(resized, scales, height, width,
                                [&](const at::Tensor& input) { return at::conv2d(input, weight, {}, 16); });
      fused.push_back(kernels::fuse_views(views, plan, {}));
    }
    found[output] = at::stack(fused);
  }
  return found;
}

}  // namespace

std::vector<GoldenRunner> fusion_runners() {
  const FusionPlan seam = fusion_plan_from({"resize:image", "unflip", "merge_flip:sum", "merge_scales:sum", "relu",
                                            "mask_present", "normalise:minmax_released"});
  return {
      {"cam", "_work, CAM.forward", "jiwoon-ahn/irn", irn_make_cam},
      {"cam", "inline code", "jiwoon-ahn/psa: infer_cls.py",
       [](const Golden& golden) { return infer_cam(golden, named_fusion_plan("psa"), false); }},
      {"cam", "inline code", "YudeWang/SEAM: infer_SEAM.py",
       [seam](const Golden& golden) { return infer_cam(golden, seam, true); }},
      {"cam", "inline code; max_norm", "", normalisers},
      {"drs", "VGG.cam_normalize", "", drs_normalize},
      {"drs", "inline code", "scripts/localization_map_gen.py", drs_scale_maximum},
      {"toco", "multi_scale_cam2", "",
       [](const Golden& golden) {
         return toco_multi_scale(golden, {{"cam", "main"}, {"cam_aux", "aux"}});
       }},
      {"afa", "multi_scale_cam", "",
       [](const Golden& golden) {
         return toco_multi_scale(golden, {{"cam", "main"}});
       }},
  };
}

}  // namespace seedbed::testing
