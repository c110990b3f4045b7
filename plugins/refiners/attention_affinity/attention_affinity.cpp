#include "attention_affinity.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "propagation.hpp"
#include "seedbed/error.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::attention_affinity {
namespace {

std::int64_t blocks_of(const Backbone& backbone) {
  const std::vector<TapInfo> taps = backbone.taps();
  return std::ranges::count_if(taps, [](const TapInfo& tap) { return tap.name.starts_with("block."); });
}

// CLIP-ES and MCTformer keep an image's size but for what the patches need.
at::Tensor at_network_size(const at::Tensor& image_hwc, const Backbone& backbone) {
  const std::int64_t multiple = backbone.size_multiple_px();
  const auto side = [&](std::int64_t pixels) {
    return (std::max(pixels, backbone.minimum_size_px()) + multiple - 1) / multiple * multiple;
  };
  return kernels::resize_image_as_pil(image_hwc, side(image_hwc.size(0)), side(image_hwc.size(1)),
                                      kernels::ResizeFilter::bicubic);
}

// A class token or other tokens come before the cells.
at::Tensor between_cells(const at::Tensor& map_ll, std::int64_t num_cells) {
  if (map_ll.size(0) != map_ll.size(1) || map_ll.size(0) < num_cells) {
    throw UserError("blocks", "a block attends to fewer cells than it has: its keys are reduced",
                    "fewer `blocks`, of those whose keys are not reduced");
  }
  const std::int64_t prefix = map_ll.size(0) - num_cells;
  return map_ll.slice(0, prefix).slice(1, prefix);
}

}  // namespace

AttentionAffinity::AttentionAffinity(const AttentionAffinityParameters& parameters, const ModelContext& context)
    : parameters_(parameters) {
  if (!context.backbone) {
    throw UserError("backbone", "`attention_affinity` asks a network, and the study names none",
                    "`backbone` in the refiner's entry, or a `[backbone]`");
  }
  const std::int64_t available = blocks_of(*context.backbone);
  if (available == 0) {
    throw UserError("backbone", "this backbone has no attention between cells", "a vision transformer");
  }
  num_blocks_ = parameters_.blocks == 0 ? available : parameters_.blocks;
  if (num_blocks_ > available) {
    throw UserError("blocks", "the backbone has fewer blocks: `" + std::to_string(available) + "`",
                    "at most as many, or 0 for all");
  }
  backbone_ = register_module("backbone", context.backbone);
}

AttentionAffinity::CellAttention AttentionAffinity::attention_of(const at::Tensor& image_hwc, RunContext* run) {
  AttentionBlockPlan plan;
  for (std::int64_t i = num_blocks_; i > 0; --i) plan.blocks.push_back(-i);
  plan.exports = {"soft"};
  plan.head_reduction = "mean";
  ForwardRequest request;
  request.images_nchw =
      normalise_images(at_network_size(image_hwc.cpu(), *backbone_).unsqueeze(0), backbone_->normalisation())
          .to(run->device());
  request.keep = {"final"};
  request.attention.blocks = {plan};
  request.run = run;
  const ForwardResult pass = backbone_->forward(request);
  const at::Tensor& final_tap = pass.taps.at("final");
  CellAttention attention{{}, final_tap.size(2), final_tap.size(3)};
  for (const auto& [name, map_nll] : pass.attention) {
    const at::Tensor cells = between_cells(map_nll[0], attention.height * attention.width);
    attention.matrix_mm = attention.matrix_mm.defined() ? attention.matrix_mm + cells : cells;
  }
  if (parameters_.block_reduction == "mean") {
    attention.matrix_mm = attention.matrix_mm / static_cast<double>(num_blocks_);
  }
  return attention;
}

at::Tensor AttentionAffinity::spread(const at::Tensor& maps_phw, const CellAttention& attention) const {
  if (parameters_.rule == "mctformer") return scaled(gathered(maps_phw, attention.matrix_mm));
  if (parameters_.rule == "afa") {
    const at::Tensor planes = parameters_.softmax ? maps_phw.softmax(0) : maps_phw;
    return distributed(planes, windowed(attention.matrix_mm, attention.height, attention.width, parameters_.radius,
                                        parameters_.exponent, parameters_.epsilon));
  }
  at::Tensor evidence = scaled(maps_phw);
  if (parameters_.box_rule != "none") {
    std::vector<at::Tensor> within;
    for (const at::Tensor& map_hw : evidence.unbind(0)) {
      within.push_back(map_hw * evidence_boxes(map_hw, parameters_.box_threshold, parameters_.box_rule));
    }
    evidence = at::stack(within);
  }
  return scaled(gathered(evidence, balanced(attention.matrix_mm, parameters_.sinkhorn_rounds, parameters_.squarings)));
}

RefineResult AttentionAffinity::refine(const RefineRequest& request) {
  const c10::NoGradGuard no_grad;
  const std::int64_t height = request.images_nhwc.size(1), width = request.images_nhwc.size(2);
  const CellAttention attention = attention_of(request.images_nhwc[0], request.run);
  const at::Tensor maps = kernels::resize_maps(request.maps.scores_nphw.to(attention.matrix_mm.device()),
                                               attention.height, attention.width, /*align_corners=*/false)[0];
  RefineResult result{.maps = request.maps, .labels = {}};
  result.maps.scores_nphw =
      kernels::resize_maps(spread(maps, attention).unsqueeze(0), height, width, /*align_corners=*/false)
          .contiguous()
          .to(request.maps.scores_nphw.device());
  result.maps.value = ValueKind::evidence;
  result.maps.covered = {{0, 0, static_cast<double>(height), static_cast<double>(width)}};
  return result;
}

}  // namespace seedbed::attention_affinity
