#include "segmentation.hpp"

#include "region_adjacency.hpp"

namespace seedbed::superpixel {

RegionMap segmented(const at::Tensor& image_hwc, const SegmentationOptions& options) {
  RegionMap superpixels = options.segmenter == Segmenter::slic ? slic(image_hwc, options.slic)
                                                               : graph_segmentation(image_hwc, options.graph);
  if (options.merging == Merging::none) return superpixels;
  RegionAdjacency regions(image_hwc, superpixels, options.rounds.colour_width);
  if (options.merging == Merging::rounds) {
    merge_in_rounds(regions, options.rounds);
  } else {
    merge_by_distance(regions, options.queue);
  }
  return regions.merged(superpixels);
}

}  // namespace seedbed::superpixel
