#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "dataset/coco_annotations.hpp"
#include "dataset/dataset.hpp"

namespace seedbed::dataset {

/// Which object of an image is seen where several lie over each other, and what a crowd is.
struct CocoPainting {
  /// Larger objects (by the `area` of the file, then by lower `id`) lie under smaller ones; false: earlier ones in the
  /// file lie under later ones.
  bool by_area = true;
  /// A crowd's pixels are 255 wherever no object lies; false: a crowd is an object like others.
  bool ignore_crowds = true;
};

/// Changed whenever the same annotations give other pixels.
inline constexpr int kCocoPaintingRevision = 1;

/// [H,W] uint8: the value of the topmost object of each pixel, 0 without one, 255 on crowds that are ignored.
/// `value_of_category` gives 0 to 255. Threads: [any-thread].
DrawnPlane paint_values(const CocoImage& image, const CocoPainting& painting,
                        const std::function<std::uint8_t(std::int64_t category_id)>& value_of_category);

/// [H,W] uint8: a number from 1 for each object that is seen, in the order of the file; 0 and 255 as above.
/// Throws: UserError naming the image where more than 253 objects are seen.
DrawnPlane paint_objects(const CocoImage& image, const CocoPainting& painting);

}  // namespace seedbed::dataset
