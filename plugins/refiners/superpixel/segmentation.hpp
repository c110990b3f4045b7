#pragma once

#include <ATen/core/Tensor.h>

#include "graph_segmentation.hpp"
#include "merge_queue.hpp"
#include "merge_rounds.hpp"
#include "region_map.hpp"
#include "slic.hpp"

namespace seedbed::superpixel {

enum class Segmenter { slic, graph };
enum class Merging { none, rounds, queue };

struct SegmentationOptions {
  Segmenter segmenter = Segmenter::slic;
  SlicOptions slic;
  GraphSegmentationOptions graph;
  Merging merging = Merging::none;
  RoundOptions rounds;
  QueueOptions queue;
};

/// Regions of an image [H,W,3] uint8 RGB: superpixels, and what merging makes of them. Threads: [any-thread].
RegionMap segmented(const at::Tensor& image_hwc, const SegmentationOptions& options);

}  // namespace seedbed::superpixel
