#include "seedbed/kernels/fusion.hpp"

#include <algorithm>
#include <string>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::kernels {
namespace {

constexpr double kEpsilon = 1e-5;

/// One map on its way through the list.
struct Layer {
  at::Tensor maps_chw;
  View view;
  bool mirrored = false;
};

std::string size_of(const at::Tensor& maps) {
  return std::to_string(maps.size(-2)) + " x " + std::to_string(maps.size(-1));
}

bool shows_whole_image(const View& view) {
  const Area& area = view.covered;
  const bool unset = area.bottom <= area.top || area.right <= area.left;
  return unset || (area.top == 0 && area.left == 0 && area.bottom == static_cast<double>(view.image_height_px) &&
                   area.right == static_cast<double>(view.image_width_px));
}

/// Resizes a map that covers more than the image (a padded input) to the image's area alone.
at::Tensor resized_to_image_area(const Layer& layer, std::int64_t height, std::int64_t width) {
  const Area& area = layer.view.covered;
  const auto image_height = static_cast<double>(layer.view.image_height_px);
  const auto image_width = static_cast<double>(layer.view.image_width_px);
  // A mirrored map shows its area from right to left.
  const double left = layer.mirrored ? area.right - image_width : -area.left;
  const auto axis = [](double first, double extent, double covered, std::int64_t cells) {
    const at::Tensor centres = (at::arange(cells, at::kDouble) + 0.5) * (extent / static_cast<double>(cells)) + first;
    return (centres * (2.0 / covered) - 1.0).to(at::kFloat);  // grid_sampler's [-1,1] spans the covered area
  };
  const at::Tensor y = axis(-area.top, image_height, area.bottom - area.top, height);
  const at::Tensor x = axis(left, image_width, area.right - area.left, width);
  const at::Tensor grid =
      at::stack({x.view({1, width}).expand({height, width}), y.view({height, 1}).expand({height, width})}, -1);
  constexpr int kBilinear = 0, kBorder = 1;
  return at::grid_sampler(layer.maps_chw.unsqueeze(0), grid.unsqueeze(0).to(layer.maps_chw.device()), kBilinear,
                          kBorder, /*align_corners=*/false)
      .squeeze(0);
}

std::int64_t ceil_to(std::int64_t size, std::int64_t multiple) { return (size + multiple - 1) / multiple * multiple; }

void resize(std::vector<Layer>& layers, const std::string& target, bool align_corners) {
  std::int64_t largest_height = 0, largest_width = 0;
  for (const Layer& layer : layers) {
    largest_height = std::max(largest_height, layer.maps_chw.size(1));
    largest_width = std::max(largest_width, layer.maps_chw.size(2));
  }
  for (Layer& layer : layers) {
    std::int64_t height = layer.view.image_height_px, width = layer.view.image_width_px;
    if (target == "grid4") {
      height = ceil_to(height, 4) / 4;
      width = ceil_to(width, 4) / 4;
    } else if (target == "largest") {
      height = largest_height;
      width = largest_width;
    }
    if (!shows_whole_image(layer.view)) {
      if (align_corners) {
        throw UserError("", "`resize_corners` needs views that show the whole image and nothing else",
                        "`resize`, or an input size without padding");
      }
      layer.maps_chw = resized_to_image_area(layer, height, width);
    } else if (target == "ceil16_crop") {
      layer.maps_chw = resize_maps(layer.maps_chw, ceil_to(height, 16), ceil_to(width, 16), align_corners)
                           .slice(1, 0, height)
                           .slice(2, 0, width);
    } else {
      layer.maps_chw = resize_maps(layer.maps_chw, height, width, align_corners);
    }
    layer.view.covered = {};
  }
}

at::Tensor merged(const std::vector<at::Tensor>& maps, const std::string& how) {
  at::Tensor result = maps.front();
  for (std::size_t i = 1; i < maps.size(); ++i) {
    if (maps[i].sizes() != result.sizes()) {
      throw UserError(
          "", "a fusion list merges maps of different sizes: `" + size_of(result) + "` and `" + size_of(maps[i]) + "`",
          "a `resize` step before the merge");
    }
    result = how == "max" ? at::maximum(result, maps[i]) : result + maps[i];
  }
  return how == "mean" && maps.size() > 1 ? result / static_cast<double>(maps.size()) : result;
}

/// Joins runs of layers for which `belongs(first of the run, layer)` holds.
template <typename Belongs>
void merge_runs(std::vector<Layer>& layers, const std::string& how, Belongs belongs) {
  if (std::ranges::any_of(layers, &Layer::mirrored)) {
    throw UserError("", "a fusion list merges a mirrored map", "an `unflip` step before the merge");
  }
  std::vector<Layer> joined;
  for (std::size_t first = 0; first < layers.size();) {
    std::vector<at::Tensor> run;
    std::size_t next = first;
    while (next < layers.size() && (next == first || belongs(layers[first], layers[next]))) {
      run.push_back(layers[next++].maps_chw);
    }
    joined.push_back({merged(run, how), layers[first].view, false});
    first = next;
  }
  layers = std::move(joined);
}

void apply(std::vector<Layer>& layers, const FusionStep& step) {
  const auto each = [&](auto operation) {
    for (Layer& layer : layers) layer.maps_chw = operation(layer.maps_chw);
  };
  if (step.operation == "relu") {
    each([](const at::Tensor& maps) { return maps.relu(); });
  } else if (step.operation == "sigmoid") {
    each([](const at::Tensor& maps) { return maps.sigmoid(); });
  } else if (step.operation == "sqrt") {
    each([](const at::Tensor& maps) { return maps.clamp_min(0).sqrt(); });
  } else if (step.operation == "clamp01") {
    each([](const at::Tensor& maps) { return maps.clamp(0, 1); });
  } else if (step.operation == "normalise") {
    each([&](const at::Tensor& maps) { return normalise_maps(maps, step.argument); });
  } else if (step.operation == "unflip") {
    for (Layer& layer : layers) {
      if (layer.mirrored) layer.maps_chw = layer.maps_chw.flip(2);
      layer.mirrored = false;
    }
  } else if (step.operation == "resize" || step.operation == "resize_corners") {
    resize(layers, step.argument, step.operation == "resize_corners");
  } else if (step.operation == "merge_flip") {
    merge_runs(layers, step.argument, [](const Layer& first, const Layer& next) {
      return !first.view.flipped && next.view.flipped && next.view.scale == first.view.scale;
    });
  } else if (step.operation == "merge_scales") {
    merge_runs(layers, step.argument, [](const Layer&, const Layer&) { return true; });
  } else if (step.operation != "mask_present") {  // fuse_views masks the result
    throw UserError("", "unknown fusion step `" + step.operation + "`", "see fusion_plan.hpp");
  }
}

void require_views(const std::vector<ViewMaps>& views) {
  const auto fail = [](const char* promise, const char* expected, const std::string& found) {
    throw ContractError("fuse_views", promise, expected, found);
  };
  if (views.empty()) fail("there is a view to fuse", "at least one", "none");
  for (const ViewMaps& view : views) {
    if (!view.maps_chw.defined() || view.maps_chw.dim() != 3 ||
        view.maps_chw.size(0) != views.front().maps_chw.size(0)) {
      fail("views hold [C,h,w] of one C", "3 dimensions, equal C", "another shape");
    }
    if (view.view.image_id != views.front().view.image_id) {
      fail("views are of one image", "equal ids",
           "`" + views.front().view.image_id + "` and `" + view.view.image_id + "`");
    }
    const Area& area = view.view.covered;
    if (!shows_whole_image(view.view) &&
        (area.top > 0 || area.left > 0 || area.bottom < static_cast<double>(view.view.image_height_px) ||
         area.right < static_cast<double>(view.view.image_width_px))) {
      fail("a view shows the whole image", "windows joined before fusion", "a part of the image");
    }
  }
}

/// The classes to fuse where the list masks: absent ones cost nothing, since every step treats classes alone.
at::Tensor classes_to_fuse(const at::Tensor& present_c, std::int64_t num_maps) {
  if (!present_c.defined()) {
    throw UserError("", "`mask_present` needs image labels, and this role has none",
                    "a list without `mask_present`, or a role with image labels");
  }
  if (present_c.numel() != num_maps) {
    throw UserError("",
                    "`mask_present` needs one map for each class: `" + std::to_string(num_maps) + "` maps, `" +
                        std::to_string(present_c.numel()) + "` classes",
                    "a list without `mask_present`");
  }
  return present_c.to(at::kBool).nonzero().flatten();
}

}  // namespace

at::Tensor normalise_maps(const at::Tensor& maps_chw, std::string_view rule) {
  const auto highest = [](const at::Tensor& maps) { return maps.amax({-2, -1}, /*keepdim=*/true); };
  const auto lowest = [](const at::Tensor& maps) { return maps.amin({-2, -1}, /*keepdim=*/true); };
  if (rule == "max") return maps_chw / (highest(maps_chw).clamp_min(0) + kEpsilon);
  if (rule == "shift_max") {
    const at::Tensor shifted = maps_chw - lowest(maps_chw);
    return shifted / (highest(shifted) + kEpsilon);
  }
  const at::Tensor evidence = maps_chw.relu();
  if (rule == "max_sqrt") return (evidence / (highest(evidence) + kEpsilon)).sqrt();
  const at::Tensor low = lowest(evidence);
  const at::Tensor range = highest(evidence) - low + kEpsilon;
  if (rule == "minmax") return (evidence - low - kEpsilon).relu() / range;
  if (rule == "minmax_released") {
    const at::Tensor cut = evidence.masked_fill(evidence.lt(low + kEpsilon), 0);
    return (cut - low - kEpsilon) / range;
  }
  throw UserError("", "unknown normalisation `" + std::string(rule) + "`",
                  "accepted: `max`, `minmax`, `minmax_released`, `max_sqrt`, `shift_max`");
}

at::Tensor join_fused(const std::vector<at::Tensor>& fused_chw, const FusionPlan& plan) {
  if (fused_chw.size() == 1) return fused_chw.front();
  std::string rule;
  for (const FusionStep& step : plan.steps) {
    if (step.operation == "normalise") rule = step.argument;
  }
  if (rule.empty()) {
    throw UserError("", "several maps of one image are joined by a fusion list that does not normalise",
                    "a `normalise` step in the list");
  }
  return normalise_maps(merged(fused_chw, "sum"), rule);
}

at::Tensor fuse_views(std::vector<ViewMaps> views, const FusionPlan& plan, const at::Tensor& present_c) {
  const c10::NoGradGuard no_grad;
  require_views(views);
  const std::int64_t num_maps = views.front().maps_chw.size(0);
  const bool masks =
      std::ranges::any_of(plan.steps, [](const FusionStep& step) { return step.operation == "mask_present"; });
  at::Tensor present;
  if (masks) present = classes_to_fuse(present_c, num_maps).to(views.front().maps_chw.device());
  // Where no class is present, the first map still tells the size of the result.
  const bool reduces = masks && present.numel() < num_maps;
  const at::Tensor fused = reduces && present.numel() == 0 ? at::zeros_like(present.new_empty({1})) : present;

  std::vector<Layer> layers;
  for (ViewMaps& view : views) {
    layers.push_back({reduces ? view.maps_chw.index_select(0, fused) : view.maps_chw, view.view, view.view.flipped});
  }
  for (const FusionStep& step : plan.steps) apply(layers, step);
  if (layers.size() != 1) {
    throw UserError("", "a fusion list leaves `" + std::to_string(layers.size()) + "` maps of one image",
                    "`merge_flip` and `merge_scales` steps that join them");
  }
  if (layers.front().mirrored) throw UserError("", "a fusion list leaves a mirrored map", "an `unflip` step");

  const at::Tensor& maps = layers.front().maps_chw;
  if (!reduces) return maps.contiguous();
  at::Tensor result = at::zeros({num_maps, maps.size(1), maps.size(2)}, maps.options());
  if (present.numel() > 0) result.index_copy_(0, present, maps);
  return result;
}

}  // namespace seedbed::kernels
